// A picture that is redrawn, as one <img> throughout, so that nothing flickers, with words for screen readers.

let made = 0;

export default {
  render({ model, el }) {
    const image = document.createElement("img");
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "status");
    sentence.id = `gptlib-sentence-${made++}`;
    image.setAttribute("aria-describedby", sentence.id);
    let url;

    function draw() {
      URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
      image.src = url;
      image.alt = model.get("alt");
      image.style.cssText = `display: block; width: ${model.get("width")}px; max-width: 100%; height: auto`;
    }

    function say() {
      sentence.textContent = model.get("sentence");
      image.style.opacity = model.get("sentence") ? 0.4 : 1; // it does not show what the controls say
    }

    model.on("change:value change:alt", draw);
    model.on("change:sentence", say);
    draw();
    say();
    el.replaceChildren(image, sentence);
    return () => URL.revokeObjectURL(url);
  },
};
