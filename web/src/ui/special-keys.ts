/** Keys that a browser or the person's own system keeps for itself. */
export interface SpecialKey {
  label: string;
  keys: ReadonlyArray<{ code: string; key: string }>;
}

const control = { code: "ControlLeft", key: "Control" };
const alt = { code: "AltLeft", key: "Alt" };
const superKey = { code: "MetaLeft", key: "Meta" };
const plain = (name: string) => ({ code: name, key: name });
const letter = (name: string) => ({ code: `Key${name.toUpperCase()}`, key: name });

export const specialKeys: readonly SpecialKey[] = [
  { label: "Esc", keys: [plain("Escape")] },
  { label: "Tab", keys: [plain("Tab")] },
  { label: "Super", keys: [superKey] },
  { label: "Alt + Tab", keys: [alt, plain("Tab")] },
  { label: "Alt + F4", keys: [alt, plain("F4")] },
  { label: "Ctrl + Alt + Del", keys: [control, alt, plain("Delete")] },
  { label: "Ctrl + Alt + T", keys: [control, alt, letter("t")] },
  { label: "Ctrl + W", keys: [control, letter("w")] },
  { label: "Ctrl + T", keys: [control, letter("t")] },
  { label: "Ctrl + C", keys: [control, letter("c")] },
  { label: "Print Screen", keys: [plain("PrintScreen")] },
];
