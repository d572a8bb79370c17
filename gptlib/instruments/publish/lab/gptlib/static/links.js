// A JupyterLab extension, without a build: a link to a heading of another notebook lands on that heading.
//
// JupyterLab 4.6 looks for the heading once, before the notebook that it has just opened has drawn it; and when it
// does find one, it guesses the heights of cells that are not drawn yet, and lands elsewhere. It also looks for the
// name as a URL writes it, in which √ is %E2%88%9A. So this goes on scrolling until the heading stays where it is.

(() => {
  const PATIENCE = 60_000; // milliseconds to wait for a notebook to be opened and drawn, on a busy machine
  const SETTLED = 2_000; // so long without moving is there to stay
  let turn = 0; // whoever scrolls, types or clicks takes over

  function headingIn(panel, name) {
    const headings = [...panel.querySelectorAll("h1, h2, h3, h4, h5, h6")];
    return headings.find((heading) => (heading.dataset.jupyterId ?? heading.id) === name);
  }

  function follow(name, from) {
    const mine = ++turn;
    const began = performance.now();
    let [place, since] = [null, began];

    function look() {
      const now = performance.now();
      if (mine !== turn || now - began > PATIENCE) return;
      setTimeout(look, 100);
      const panels = [...document.querySelectorAll(".jp-NotebookPanel")];
      const panel = panels.find((one) => one.offsetParent && one !== from);
      const heading = panel && headingIn(panel, name);
      if (!heading) return;
      heading.scrollIntoView();
      const top = heading.getBoundingClientRect().top;
      if (place === null || Math.abs(top - place) > 2) [place, since] = [top, now];
      else if (now - since > SETTLED) turn += 1;
    }

    look();
  }

  function activate() {
    for (const event of ["wheel", "keydown", "pointerdown"]) {
      document.addEventListener(event, () => (turn += 1), { capture: true, passive: true });
    }
    document.addEventListener("click", ({ target }) => {
      const link = target.closest?.(".jp-NotebookPanel a[href*='.ipynb']");
      const name = link && decodeURIComponent(link.hash.slice(1));
      if (name) follow(name, link.closest(".jp-NotebookPanel"));
    }, true);
  }

  const plugin = { id: "gptlib:links", autoStart: true, activate };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.gptlib = {
    init() {},
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin })),
  };
})();
