// Copy and Insert: what only the front end can do. The text is the model's `source`.
//
// A kernel can put a cell into a notebook only while it runs one, and a click runs none. So Insert asks
// the page by an event, which nbbatch's extension of JupyterLab and Notebook 7 answers; where nobody
// does, the text is copied and it is said how to go on. Both need no kernel: they are what is left of a form whose
// kernel is gone. `watchKernel` is that of kernel_end.js, which stands before this.

const COPY = "Copy the line";
const INSERT = "Put it into a new cell below";
const GONE = "This form stands still, since its kernel is gone; jobs go on. Run its cell again for a new one.";
const HOW = "Copied: press Esc, then B for a cell below, Enter, and paste.";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  // Without https the browser has no clipboard; a selection can still be copied.
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}

function insert(element, source) {
  const event = new CustomEvent("nbbatch:insert-cell", {
    bubbles: true,
    cancelable: true,
    composed: true,
    detail: { source },
  });
  return !element.dispatchEvent(event);
}

function button(text, title) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "jupyter-button widget-button lm-Widget";
  made.textContent = text;
  made.title = title;
  return made;
}

// All of the form but the line, and what can be done with it, greys; it may not stand on the page yet.
function still(el) {
  const form = el.closest(".nbb-launcher");
  if (!form) {
    requestAnimationFrame(() => still(el));
    return;
  }
  for (let kept = el; kept !== form; kept = kept.parentElement) {
    for (const other of kept.parentElement.children) other.inert = other !== kept && !other.querySelector(".nbb-line");
  }
  const said = document.createElement("div");
  said.className = "nbb-gone";
  said.setAttribute("role", "status");
  said.textContent = GONE;
  form.prepend(said);
}

function render({ model, el }) {
  const copies = button("Copy", COPY);
  const inserts = button("Insert", INSERT);
  const said = document.createElement("span");
  said.className = "nbb-said";
  said.setAttribute("role", "status");
  copies.addEventListener("click", async () => {
    const done = await copy(model.get("source"));
    said.textContent = done ? "Copied." : "Select the line above and copy it.";
  });
  inserts.addEventListener("click", async () => {
    const source = model.get("source");
    if (insert(el, source)) {
      said.textContent = "Inserted below.";
    } else {
      said.textContent = (await copy(source)) ? HOW : "Select the line above and copy it into a new cell.";
    }
  });
  const update = () => {
    said.textContent = "";
    for (const [each, help] of [[copies, COPY], [inserts, INSERT]]) {
      each.disabled = model.get("reason") !== "";
      each.title = model.get("reason") || help;
    }
  };
  model.on("change:source change:reason", update);
  update();
  el.classList.add("nbb-handover");
  el.append(copies, inserts, said);
  const watch = watchKernel(model, model.get("form"), () => still(el), () => {});
  return watch.quiet;
}

export default { render };
