// When the kernel behind a widget's model is gone: stands before the scripts of those that must know, see widgets.py.
// Widgets hear of a restart that somebody asked for, not of a kernel that died, was shut down or changed; and those
// whose state a notebook keeps are there without any kernel at all.

const ENDS = ["restarting", "autorestarting", "terminating", "dead"];

// Calls `end` once, when nobody hears the model of this id any more, or `leave` where a kernel that lives has closed it.
// Gives the kernel, what ends the watch, and the two ways to say that what it waits for has happened.
function watchKernel(model, id, end, leave) {
  const manager = model.widget_manager;
  const kernel = manager?.kernel;
  const hasEnded = () => kernel?.isDisposed || ENDS.includes(kernel?.status);
  let isGone = false;
  const quiet = () => {
    kernel?.statusChanged?.disconnect(onStatus);
    kernel?.disposed?.disconnect(onEnd);
  };
  const onEnd = () => {
    if (isGone) return;
    isGone = true;
    quiet();
    end();
  };
  const onStatus = (_, status) => { if (ENDS.includes(status)) onEnd(); };
  const onClose = () => (isGone || hasEnded() ? onEnd() : leave());
  model.on("destroy", onClose);
  model.on("comm:close", onClose);
  model.on("comm_live_update", onEnd);
  kernel?.statusChanged?.connect(onStatus);
  kernel?.disposed?.connect(onEnd);
  const isThere = !manager || !("kernel" in manager) || (kernel && !hasEnded());
  Promise.resolve(isThere && manager?.get_model?.(id)).then((one) => {
    if (!isThere || one?.comm_live === false) onEnd();
  }, () => {});
  return { kernel, quiet, onEnd, onClose };
}
