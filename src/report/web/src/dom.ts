// SPDX-License-Identifier: Apache-2.0
// Elements from code. Text becomes text nodes and nothing else: names of the traced program are shown, never parsed.

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, unknown>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Child | Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function')
      element.addEventListener(name.slice(2), value as EventListener);
    else if (name === 'style')
      for (const [key, one] of Object.entries(value as Record<string, string>))
        element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  add(element, children);
  return element;
}

export function add(element: Element, children: (Child | Child[])[]): void {
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : String(child));
}

export function button(
  label: string,
  action: (event: Event) => void,
  props: Props = {},
): HTMLButtonElement {
  return h('button', { type: 'button', onclick: action, ...props }, label);
}

// One of few: arrow keys move as in a radio group.
export function choice(
  name: string,
  options: [string, string][],
  chosen: string,
  choose: (value: string) => void,
): HTMLElement {
  const group = h('div', { class: 'choice', role: 'radiogroup', 'aria-label': name });
  options.forEach(([value, label], i) => {
    group.append(
      button(label, () => choose(value), {
        role: 'radio',
        'aria-checked': String(value === chosen),
        'data-value': value,
        tabindex: value === chosen ? 0 : -1,
        onkeydown: (event: KeyboardEvent) => {
          const step =
            event.key === 'ArrowRight' || event.key === 'ArrowDown'
              ? 1
              : event.key === 'ArrowLeft' || event.key === 'ArrowUp'
                ? -1
                : 0;
          if (!step) return;
          event.preventDefault();
          event.stopPropagation();
          choose(options[(i + step + options.length) % options.length][0]);
        },
      }),
    );
  });
  return group;
}

// A canvas that is as sharp as the screen; draws in CSS pixels.
export function sized(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

let tip: HTMLElement | null = null;

export function showTip(
  event: { clientX: number; clientY: number },
  lines: (string | Node)[],
): void {
  tip ??= document.body.appendChild(h('div', { class: 'tip', role: 'tooltip' }));
  tip.replaceChildren(...lines.map((line) => (line instanceof Node ? line : h('div', {}, line))));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left =
    event.clientX + 14 + width > innerWidth ? event.clientX - width - 10 : event.clientX + 14;
  const top =
    event.clientY + 14 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

export function hideTip(): void {
  if (tip) tip.hidden = true;
}
