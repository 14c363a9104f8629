// Buttons of nbbatch's panels: see actions.py. `initialize` runs when the model is there, without any view.
// `watchKernel` is that of kernel_end.js, which stands before this.

const STYLE = `
.nbbatch-controls { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; padding: 2px 0 4px;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 12px; color: var(--jp-ui-font-color1, inherit); }
.nbbatch-controls button, .nbbatch-controls select, .nbbatch-controls input { font: inherit; color: inherit; height: 24px;
  padding: 0 9px; border: 1px solid var(--jp-border-color1, #bbb); border-radius: 3px; background: var(--jp-layout-color1, transparent); }
.nbbatch-controls input { width: 5.5em; padding: 0 4px; }
.nbbatch-controls input[type="range"] { width: 9em; padding: 0; }
.nbbatch-controls output { min-width: 3em; }
.nbbatch-controls button:hover:enabled, .nbbatch-controls select:hover { background: var(--jp-layout-color2, #eee); }
.nbbatch-controls button:enabled { cursor: pointer; }
.nbbatch-controls :disabled { opacity: 0.45; }
.nbbatch-controls :focus-visible { outline: 2px solid var(--jp-brand-color1, #2196f3); outline-offset: 1px; }
.nbbatch-controls .nbbatch-said { color: var(--jp-ui-font-color2, inherit); }
.nbbatch-controls label { display: inline-flex; gap: 4px; align-items: center; }
`;

const DISPLAYED = 1000; // ms after which a page with displays shows what was put into them

function element(tag, props, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

function control(button, send) {
  const press = (props) => element("button", { type: "button", title: button.title, textContent: button.label, ...props });
  let node;
  if (button.kind === "copy") {
    node = press({ onclick: () => copied(node, button) });
  } else if (button.kind === "number") {
    const field = element("input", { type: "number", min: 0, max: button.most - 1, placeholder: "0", name: button.name });
    field.setAttribute("aria-label", button.title);
    const go = () => field.value !== "" && send(button.name, { [button.name]: Number(field.value) });
    field.onkeydown = (event) => { event.stopPropagation(); if (event.key === "Enter") go(); };
    node = element("label", {}, field, press({ onclick: go }));
  } else if (button.kind === "slider") {
    const said = element("output", { textContent: button.value });
    const field = element("input", { type: "range", min: 0, max: button.choices.length - 1, step: 1, name: button.name });
    field.value = button.choices.indexOf(button.value);
    field.title = button.title;
    field.setAttribute("aria-label", button.label);
    field.setAttribute("aria-valuetext", button.value);
    field.oninput = () => { said.textContent = button.choices[field.value]; field.setAttribute("aria-valuetext", said.textContent); };
    field.onchange = () => send(button.name, { [button.name]: button.choices[field.value] });
    field.onkeydown = (event) => event.stopPropagation();
    node = element("label", {}, button.label, field, said);
  } else if (button.kind === "choice") {
    const options = button.choices.map((text) => element("option", { value: text, textContent: text || "none" }));
    const select = element("select", { name: button.name, title: button.title }, ...options);
    select.value = button.value;
    select.onchange = () => send(button.name, { [button.name]: select.value });
    node = element("label", {}, button.label, select);
  } else {
    node = press({ onclick: () => send(button.name, {}) });
  }
  node.dataset.nbbatchAction = button.name;
  return node;
}

// A page that was loaded again has no displays: what comes for them goes into its outputs by nbbatch's extension
// of JupyterLab and Notebook 7, so that it is saved, too; where that is not there, into the page.
function redraw(panel, content) {
  for (const node of document.querySelectorAll(`[data-nbbatch-of="${panel}"]`)) {
    const detail = { panel, ...content };
    const event = new CustomEvent("nbbatch:redraw-panel", { bubbles: true, cancelable: true, composed: true, detail });
    if (node.isConnected && node.dispatchEvent(event)) {
      node.outerHTML = content.frame["text/html"];
    }
  }
}

async function copied(node, button) {
  let said = "copied";
  try {
    await navigator.clipboard.writeText(button.value);
  } catch {
    const field = element("textarea", { value: button.value });
    document.body.append(field);
    field.select();
    said = document.execCommand("copy") ? "copied" : button.value;
    field.remove();
  }
  node.textContent = said;
  setTimeout(() => { node.textContent = button.label; }, 1500);
}

const PATIENCE = 2000; // ms that a kernel may take to say that it has heard
const SILENT = "the kernel has not answered yet: it is busy, or gone";
const GONE = "this panel stands still, since its kernel is gone; jobs go on";

function said(text) {
  const node = element("span", { className: "nbbatch-said", textContent: text });
  node.setAttribute("role", "status");
  return node;
}

// A message to the model's other half, as the protocol of kernels has it ("Comm messages").
function commMessage({ clientId, username }, model, content) {
  const date = new Date().toISOString();
  const header = { msg_id: content.id, msg_type: "comm_msg", session: clientId, username, date, version: "5.2", subshell_id: null };
  const data = { method: "custom", content };
  return { channel: "shell", header, parent_header: {}, metadata: {}, content: { comm_id: model, data }, buffers: [] };
}

function initialize({ model }) {
  const panel = model.get("panel");
  const place = `[data-nbbatch-buttons="${panel}"]`;
  const unheard = new Map();
  const page = Math.random().toString(36).slice(2);
  let number = 0;
  const send = (action, values) => {
    const content = { action, values, id: `${page}-${(number += 1)}` };
    unheard.set(content.id, setTimeout(repeat, PATIENCE, content));
    try {
      model.send(content);
    } catch {
      watch.onEnd(); // JupyterLab's own words for a kernel that is dead
    }
  };
  // In a page that was loaded again, what goes to a subshell is lost now and then (JupyterLab 4.6, ipykernel 7): once
  // more by the main shell; the kernel passes over what it has heard.
  const repeat = (content) => {
    tell(SILENT);
    const { kernel } = watch;
    if (kernel?.sendShellMessage) kernel.sendShellMessage(commMessage(kernel, panel, content), false, true);
  };
  model.on("msg:custom", ({ heard }) => {
    clearTimeout(unheard.get(heard));
    unheard.delete(heard);
    if (unheard.size === 0) tell("");
  });
  const tell = (text) => {
    for (const row of document.querySelectorAll(`${place} > .nbbatch-controls`)) {
      row.querySelector(".nbbatch-said")?.remove();
      if (text) row.append(said(text));
    }
  };

  const disable = () => {
    const names = new Set(model.get("disabled"));
    for (const node of document.querySelectorAll(`${place} [data-nbbatch-action]`)) {
      for (const part of [node, ...node.querySelectorAll("button, input, select")]) {
        part.disabled = names.has(node.dataset.nbbatchAction);
      }
    }
  };
  let asked = 0;
  let isDeaf = false;
  let timer = 0;
  const oldest = () => {
    const nodes = [...document.querySelectorAll(`[data-nbbatch-of="${panel}"]`)];
    return Math.min(...nodes.map((node) => Number(node.dataset.nbbatchEdition)));
  };
  const look = (wanted) => {
    timer = 0;
    const last = model.get("last");
    if (last.frame && oldest() < wanted) {
      redraw(panel, last);
    } else if (oldest() < wanted && asked < wanted && !isGone) {
      isDeaf = true;
      asked = wanted;
      send("frame", { edition: oldest() });
    }
    lookSoon();
  };
  const lookSoon = () => {
    const edition = model.get("edition");
    if (!timer && asked < edition && oldest() < edition) {
      timer = setTimeout(look, isDeaf ? 0 : DISPLAYED, edition);
    }
  };
  const fill = () => {
    for (const where of document.querySelectorAll(place)) {
      if (where.firstChild || !model.get("buttons").length) continue;
      const row = element("div", { className: "nbbatch-controls" }, element("style", { textContent: STYLE }));
      row.setAttribute("role", "toolbar");
      row.setAttribute("aria-label", "Actions of this panel");
      const usable = model.get("buttons").filter((button) => !isGone || button.kind === "copy");
      row.append(...usable.map((button) => control(button, send)), ...(isGone ? [said(GONE)] : []));
      where.append(row);
      disable();
    }
  };
  const onClick = (event) => {
    const target = event.target.closest?.(`[data-nbbatch-of="${panel}"] [data-act]`);
    if (!target) return;
    const box = target.getBoundingClientRect();
    const part = (at, length) => (length ? Math.min(0.999999, Math.max(0, at / length)) : 0);
    const where = { across: part(event.clientX - box.left, box.width), down: part(event.clientY - box.top, box.height) };
    send(target.dataset.act, { ...target.dataset, ...where });
  };
  const observer = new MutationObserver(() => { fill(); lookSoon(); });
  const empty = () => {
    for (const where of document.querySelectorAll(place)) where.replaceChildren();
  };
  let isGone = false;
  const end = () => {
    isGone = true;
    quiet();
    empty();
    fill();
  };
  const quiet = () => {
    document.removeEventListener("click", onClick);
    for (const timer of unheard.values()) clearTimeout(timer);
    unheard.clear();
  };
  model.on("change:disabled", disable);
  model.on("change:edition", lookSoon);
  model.on("msg:custom", (content) => content.frame && redraw(panel, content));
  model.on("change:buttons", () => {
    const focused = document.activeElement?.closest(`${place} [data-nbbatch-action]`)?.dataset.nbbatchAction;
    empty();
    fill();
    const again = focused && document.querySelector(`${place} [data-nbbatch-action="${focused}"]`);
    (again?.querySelector("input, select") ?? again)?.focus();
  });
  const leave = () => {
    clearTimeout(timer);
    observer.disconnect();
    watch.quiet();
    quiet();
    empty();
  };
  const watch = watchKernel(model, panel, end, leave);
  observer.observe(document.body, { childList: true, subtree: true });
  document.addEventListener("click", onClick);
  fill();
  lookSoon();
  return watch.onClose;
}

export default { initialize };
