/** Before each test file: what jsdom lacks and JupyterLab's packages want, and a clean page after each test. */

import { cleanup } from '@testing-library/react';
import { afterEach } from 'vitest';

class NoDrag extends Event {}
const noMedia = () => ({ matches: false, addEventListener: () => undefined, addListener: () => undefined });
Object.assign(globalThis, { DragEvent: globalThis.DragEvent ?? NoDrag });
Object.assign(window, { matchMedia: window.matchMedia ?? noMedia });
afterEach(() => cleanup());
