/** The messages of docs/protocol.md ("Data channels" and "Fallback"), and the checks that turn outside text into them. */

export interface Reason {
  code: string;
  step?: string | null;
  message?: string | null;
  lastSeen?: string | null;
  log?: string[] | null;
}

export type InputMessage =
  | { t: "key"; code: string; key: string; down: boolean }
  | { t: "button"; x: number; y: number; button: number; down: boolean }
  | { t: "wheel"; x: number; y: number; dx: number; dy: number }
  | { t: "text"; text: string }
  | { t: "release" };

export type ControlRequest =
  | { t: "resize"; width: number; height: number }
  /** `id` on the last piece: a pong with it says that the guest's programs can paste the text. */
  | { t: "clipboard"; text: string; more?: true; id?: number }
  | { t: "fps"; max: number }
  | { t: "ping"; id: number }
  | { t: "visible"; visible: boolean };

export interface CursorMessage {
  t: "cursor";
  serial: number;
  width: number;
  height: number;
  hotX: number;
  hotY: number;
  png: string;
}

/** Stage durations of one sampled frame, in microseconds. */
export interface FrameMessage {
  t: "frame";
  rtp: number;
  damageUs: number;
  captureUs: number;
  encodeUs: number;
  sendUs: number;
  bytes: number;
  q: number;
}

export type ControlEvent =
  | { t: "hello"; desktop: string; viewer: string; codec: string; width: number; height: number }
  | { t: "size"; width: number; height: number }
  | CursorMessage
  | { t: "position"; x: number; y: number }
  | { t: "clipboard"; text: string; more?: boolean }
  | { t: "clipboard-too-long" }
  | { t: "pong"; id: number }
  | FrameMessage
  | { t: "rate"; bitrate: number }
  | { t: "state"; state: string; reason: Reason | null };

type Fields = Record<string, "string" | "number">;

const required: Record<ControlEvent["t"], Fields> = {
  hello: { desktop: "string", codec: "string", width: "number", height: "number" },
  size: { width: "number", height: "number" },
  cursor: { width: "number", height: "number", hotX: "number", hotY: "number", png: "string" },
  position: { x: "number", y: "number" },
  clipboard: { text: "string" },
  "clipboard-too-long": {},
  pong: { id: "number" },
  frame: { rtp: "number", captureUs: "number", encodeUs: "number" },
  rate: { bitrate: "number" },
  state: { state: "string" },
};

/** Checks a control message. Answers null for one of a kind that this viewer does not know, or with a field missing. */
export function parseControl(value: unknown): ControlEvent | null {
  if (typeof value !== "object" || value === null) return null;
  const message = value as Record<string, unknown>;
  const kind = message["t"];
  if (typeof kind !== "string" || !Object.hasOwn(required, kind)) return null;
  const fields = required[kind as ControlEvent["t"]];
  for (const [name, type] of Object.entries(fields)) {
    if (typeof message[name] !== type) return null;
    if (type === "number" && !Number.isFinite(message[name])) return null;
  }
  return message as unknown as ControlEvent;
}

/** The same from text. */
export function parseControlText(text: string): ControlEvent | null {
  try {
    return parseControl(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Wraps a message for the WebSocket fallback, where one socket stands for all channels. */
export function wrap(channel: "input", message: InputMessage): string;
export function wrap(channel: "control", message: ControlRequest): string;
export function wrap(channel: "pointer", message: { x: number; y: number }): string;
export function wrap(channel: "ack", message: { captureUs: number }): string;
export function wrap(channel: string, message: object): string {
  return JSON.stringify({ c: channel, m: message });
}

/** Takes a wrapped server message apart; a bare control message is taken as well. */
export function unwrapControl(text: string): ControlEvent | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const outer = value as Record<string, unknown>;
    if (outer["c"] === "control") return parseControl(outer["m"]);
    return "c" in outer ? null : parseControl(outer);
  } catch {
    return null;
  }
}
