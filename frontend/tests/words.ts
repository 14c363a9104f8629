/** Texts as they stand in the sources, for models that take a user's language. */

import { nullTranslator } from '@jupyterlab/translation';

export const trans = nullTranslator.load('nbbatch');
