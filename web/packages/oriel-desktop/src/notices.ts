/** What the viewer says of its own failures: the reason in plain words and what to do next. */
export interface Notice {
  title: string;
  next: string;
}

const notices: Record<string, Notice> = {
  "signed-out": { title: "You are signed out", next: "Sign in again; the desktop goes on living." },
  "bad-token": { title: "The token is not accepted", next: "Give the viewer a valid token." },
  "no-such-desktop": { title: "There is no such desktop", next: "It may have been destroyed. Open another one." },
  "desktop-gone": { title: "The desktop is gone", next: "Open another one." },
  "not-ready": { title: "The desktop is not ready yet", next: "The picture comes by itself when it is." },
  "too-many-viewers": { title: "Too many pages show this desktop", next: "Close one of them; this one tries again by itself." },
  "server-unreachable": {
    title: "The server does not answer",
    next: "This page comes back by itself. If it lasts, look whether the server runs.",
  },
  "webrtc-blocked": {
    title: "WebRTC is blocked here",
    next: "Use a current browser over HTTPS, or open the server's media port for UDP or TCP.",
  },
  "no-connection": {
    title: "No way to the desktop",
    next: "Neither WebRTC nor the WebSocket connects. A firewall or proxy may be in between.",
  },
};

/** @param trying Whether the viewer goes on trying by itself. */
export function noticeFor(reason: string, trying: boolean): Notice {
  const next = trying ? "This page tries again by itself." : "Try again, or look at the server's log.";
  return (Object.hasOwn(notices, reason) ? notices[reason] : undefined) ?? { title: "The connection failed", next };
}
