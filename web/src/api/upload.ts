import { ServerError } from "@oriel/desktop/internal";
import { desktopUrl, pageHeaders } from "./client.js";

/** Puts a file of this computer into a desktop. `fetch` tells nothing of an upload while it goes on. */
export function upload(
  desktop: string,
  path: string,
  content: Blob,
  progress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", desktopUrl(desktop, `/files?path=${encodeURIComponent(path)}`));
    for (const [name, value] of Object.entries(pageHeaders())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded }) => progress(loaded));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve();
      else reject(refusal(request));
    });
    request.addEventListener("error", () => reject(new ServerError(0, "server-unreachable", "The server does not answer.")));
    request.addEventListener("abort", () => reject(signal.reason as Error));
    signal.addEventListener("abort", () => request.abort());
    request.send(content);
  });
}

function refusal({ status, responseText }: XMLHttpRequest): ServerError {
  try {
    const { reason, detail } = JSON.parse(responseText) as { reason?: string; detail?: string };
    return new ServerError(status, reason ?? "page-error", detail ?? `The server refused it (${status}).`);
  } catch {
    return new ServerError(status, "page-error", `The server refused it (${status}).`);
  }
}
