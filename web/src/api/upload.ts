import { errorOf, ServerError } from "@oriel/desktop/internal";
import { desktopUrl, pageHeaders } from "./client.js";

/** Puts a file of this computer into a desktop. `fetch` tells nothing of an upload while it goes on. */
export function upload(desktop: string, path: string, content: Blob, progress: (bytes: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", desktopUrl(desktop, `/files?path=${encodeURIComponent(path)}`));
    for (const [name, value] of Object.entries(pageHeaders())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded }) => progress(loaded));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve();
      else void errorOf(new Response(request.responseText, { status: request.status })).then(reject);
    });
    request.addEventListener("error", () => reject(new ServerError(0, "server-unreachable", "The server does not answer.")));
    request.send(content);
  });
}
