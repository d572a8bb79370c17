// The keys that are pressed in a widget are its own; the notebook around it has other uses for the arrows and for letters.

const EDITING = "acvxyz"; // with Ctrl or Cmd they belong to the text in a box

// Keeps what is pressed within root from JupyterLab. What passes: Tab, Escape, and what concerns the page, like Ctrl+S.
// Its attribute data-lm-suppress-shortcuts would keep Ctrl+S too, and from a slider nothing unless the slider has it.
export function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey } = event;
    const ofPage = (ctrlKey || metaKey) && !altKey && key.length === 1 && !EDITING.includes(key.toLowerCase());
    if (!ofPage && key !== "Tab" && key !== "Escape") event.stopPropagation();
  });
}
