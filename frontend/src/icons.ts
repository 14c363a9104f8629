/** Our own icons, drawn in the colours of JupyterLab's. */

import { LabIcon } from '@jupyterlab/ui-components';

/** Stacked jobs, one of them running. */
export const sidebarIcon = new LabIcon({
  name: 'nbbatch:sidebar',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <rect x="3" y="4" width="18" height="4.2" rx="1.4"/>
    <rect x="3" y="9.9" width="18" height="4.2" rx="1.4" opacity=".65"/>
    <rect x="3" y="15.8" width="18" height="4.2" rx="1.4" opacity=".35"/>
  </g>
</svg>`,
});

/** A page on its way: submit a notebook. */
export const submitIcon = new LabIcon({
  name: 'nbbatch:submit',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M5 3h9.5L19 7.5V10h-2V8.5h-3.5V5H7v14h5v2H5z"/>
    <path d="M16 12.2l5.4 5.1-5.4 5.1v-3.6h-4.4v-3H16z"/>
  </g>
</svg>`,
});
