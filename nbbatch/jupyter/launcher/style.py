"""How the launcher looks: JupyterLab's own variables, so that it follows the theme."""

from __future__ import annotations

CLASS = "nbb-launcher"
STATIC = "nbb-launcher-static"
_FORM = """
.C {max-width:1000px;color:var(--jp-ui-font-color1,#212121);font-size:var(--jp-ui-font-size1,13px);
  border:1px solid var(--jp-border-color2,#e0e0e0);border-radius:4px;padding:8px 10px 10px}
.C .nbb-grid {gap:1px 12px}
.C .nbb-wide {grid-column:1 / -1}
.C .nbb-field {overflow:visible;min-width:0}
.C .nbb-field .widget-label {width:74px;text-align:left;text-overflow:ellipsis;font-size:12px}
.C .nbb-field input, .C .nbb-field select, .C .nbb-field textarea {min-width:0}
.C .nbb-field input::placeholder, .C .nbb-field textarea::placeholder {color:var(--jp-ui-font-color2,#616161);
  opacity:1;font-style:italic}
.C .nbb-field select {background-image:url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='20' height='20'%3E%3Cpath d='M5 8l5 5 5-5' fill='none' stroke='%23808080' stroke-width='2'/%3E%3C/svg%3E") !important}
.C .nbb-field textarea {font-family:var(--jp-code-font-family,monospace);font-size:12px}
.C .nbb-note {margin:-3px 0 2px 82px;font-size:11px;line-height:14px;height:auto;min-height:0;
  color:var(--jp-ui-font-color2,#616161);white-space:normal;overflow-wrap:anywhere}
.C .nbb-wrong .nbb-note, .C .nbb-reason {color:var(--jp-error-color1,#b71c1c)}
.C .nbb-wrong input, .C .nbb-wrong select, .C .nbb-wrong textarea {border-color:var(--jp-error-color1,#b71c1c) !important}
.C .widget-html, .C .widget-html-content {line-height:1.4;font-size:inherit;height:auto}
.C .nbb-head {font-weight:600}
.C .nbb-facts {color:var(--jp-ui-font-color2,#616161);font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere}
.C .nbb-facts .nbb-trouble {color:var(--jp-error-color1,#b71c1c)}
.C pre.nbb-line {font-family:var(--jp-code-font-family,monospace);font-size:12px;line-height:1.45;
  background:var(--jp-cell-editor-background,#f5f5f5);color:var(--jp-content-font-color1,#212121);
  border:1px solid var(--jp-border-color2,#e0e0e0);border-radius:2px;padding:5px 8px;margin:4px 0;white-space:pre-wrap;
  overflow-wrap:anywhere}
.C pre.nbb-story {font-family:var(--jp-code-font-family,monospace);font-size:12px;line-height:1.4;margin:0;
  background:none;color:var(--jp-ui-font-color2,#616161);white-space:pre-wrap;overflow-wrap:anywhere}
.C .nbb-handover {display:flex;align-items:center;flex-wrap:wrap}
.C button:disabled {opacity:.4}
.C .nbb-handover button {width:auto;padding:0 12px;margin:2px}
.C .nbb-said {margin-left:6px;font-size:12px;color:var(--jp-ui-font-color2,#616161)}
.C .nbb-gone {margin-bottom:6px;font-size:12px;color:var(--jp-ui-font-color2,#616161)}
.C.jupyter-widgets-disconnected::before, .C .jupyter-widgets-disconnected::before {content:none}
.C [inert] :is(button,input,select,textarea,.widget-label), .C button[inert] {opacity:.4}
.C .nbb-run {border-top:1px solid var(--jp-border-color2,#e0e0e0);margin-top:6px;padding-top:6px}
.C :focus-visible {outline:2px solid var(--jp-brand-color1,#1976d2);outline-offset:1px}
""".replace("\n  ", "")
_EITHER = """
.jp-OutputArea-child:not(:has(.C)):has(+ .jp-OutputArea-child .S) {display:none}
.jp-OutputArea-child:has(.C) + .jp-OutputArea-child:has(.S) {display:none}
"""


def form_style() -> str:
    """Of the form, as an HTML element."""
    return f"<style>{_FORM.replace('.C', f'.{CLASS}')}</style>"


def static_style() -> str:
    """Of what stays in the saved notebook: it shows where the form does not live, and hides its ruins."""
    return f"<style>{_EITHER.replace('.C', f'.{CLASS}').replace('.S', f'.{STATIC}')}</style>"
