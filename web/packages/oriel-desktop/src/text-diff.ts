import type { InputMessage } from "./messages.js";
import { press } from "./key-state.js";

/**
 * What a phone's keyboard did to the hidden text field, as keys and text: characters taken away at the end become Backspace,
 * new ones are sent as text, line breaks as Enter. (Phone keyboards give no usable key events.)
 */
export function textDiff(before: string, after: string): InputMessage[] {
  const old = [...before];
  const now = [...after];
  let same = 0;
  while (same < old.length && same < now.length && old[same] === now[same]) same++;
  const messages: InputMessage[] = [];
  for (let i = same; i < old.length; i++) messages.push(...press("Backspace", "Backspace"));
  const pieces = now.slice(same).join("").split("\n");
  pieces.forEach((piece, index) => {
    if (index > 0) messages.push(...press("Enter", "Enter"));
    if (piece !== "") messages.push({ t: "text", text: piece });
  });
  return messages;
}
