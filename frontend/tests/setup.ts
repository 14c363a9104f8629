/** Before each test file: what jsdom lacks, and a page without leftovers after each test. */

import { cleanup } from '@testing-library/react';
import { afterEach } from 'vitest';

class NoDrag extends Event {}
Object.assign(globalThis, { DragEvent: globalThis.DragEvent ?? NoDrag });
afterEach(() => cleanup());
