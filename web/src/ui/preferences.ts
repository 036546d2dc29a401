/** How a person likes the viewer, kept in this browser. */
export interface ViewerPreferences {
  scale: "fit" | "actual";
  remoteResize: boolean;
  latency: boolean;
  codec: "auto" | "vp8" | "h264";
  transport: "auto" | "udp" | "tcp" | "websocket";
}

const key = "oriel.viewer";

interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** Remote resize is off until asked for: a desktop keeps the size it was made with, whoever else (an agent, a phone) looks at it. */
export function loadPreferences(store: Store): ViewerPreferences {
  const defaults: ViewerPreferences = { scale: "fit", remoteResize: false, latency: false, codec: "auto", transport: "auto" };
  try {
    const value: unknown = JSON.parse(store.getItem(key) ?? "{}");
    if (typeof value !== "object" || value === null) return defaults;
    const saved = value as Record<string, unknown>;
    const one = <T>(name: string, allowed: readonly T[], otherwise: T): T => allowed.find((item) => item === saved[name]) ?? otherwise;
    return {
      scale: one("scale", ["fit", "actual"] as const, defaults.scale),
      remoteResize: one("remoteResize", [true, false], defaults.remoteResize),
      latency: one("latency", [true, false], defaults.latency),
      codec: one("codec", ["auto", "vp8", "h264"] as const, defaults.codec),
      transport: one("transport", ["auto", "udp", "tcp", "websocket"] as const, defaults.transport),
    };
  } catch {
    return defaults;
  }
}

export function savePreferences(store: Store, preferences: ViewerPreferences): void {
  store.setItem(key, JSON.stringify(preferences));
}
