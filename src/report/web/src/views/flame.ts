import type { App, View } from '../app';
import { h } from '../dom';
export const makeFlame = (_: App): View => ({ element: h('div', {}), update() {} });
