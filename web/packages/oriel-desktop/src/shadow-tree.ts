import { viewerCss } from "./styles.js";

/** Those elements of the viewer's shadow tree that other modules use. */
export interface ShadowTree {
  stage: HTMLElement;
  video: HTMLVideoElement;
  canvas: HTMLCanvasElement;
  keys: HTMLTextAreaElement;
  ghost: HTMLCanvasElement;
  notice: HTMLElement;
  hint: HTMLElement;
  latency: HTMLElement;
}

const template = document.createElement("template");
template.innerHTML = `
  <div class="stage">
    <video class="picture surface" data-testid="video" muted playsinline autoplay disablepictureinpicture disableremoteplayback></video>
    <canvas class="picture surface" data-testid="canvas" hidden></canvas>
  </div>
  <textarea class="keys" data-testid="keys" autocomplete="off" autocorrect="off" autocapitalize="off" spellcheck="false"
    aria-label="Desktop: keys go to it. Control, Alt and Shift together give the keyboard back to the page."></textarea>
  <div class="ring"></div>
  <canvas class="ghost" aria-hidden="true" hidden></canvas>
  <div class="hint" aria-hidden="true"><kbd>Ctrl</kbd> <kbd>Alt</kbd> <kbd>Shift</kbd> gives the keyboard back</div>
  <div class="latency" data-testid="latency" hidden></div>
  <div class="notice" data-testid="viewer-notice" role="status" aria-live="polite" hidden></div>
`;

export function buildShadowTree(host: HTMLElement): ShadowTree {
  const root = host.attachShadow({ mode: "open", delegatesFocus: true });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(viewerCss);
  root.adoptedStyleSheets = [sheet];
  root.append(template.content.cloneNode(true));
  const find = <T extends Element>(selector: string): T => {
    const element = root.querySelector<T>(selector);
    if (!element) throw new Error(`The viewer has no ${selector}.`);
    return element;
  };
  const video = find<HTMLVideoElement>("video");
  // The attribute only sets the default; autoplay looks at the property.
  video.muted = true;
  return {
    stage: find(".stage"),
    video,
    canvas: find("canvas.picture"),
    keys: find(".keys"),
    ghost: find(".ghost"),
    notice: find(".notice"),
    hint: find(".hint"),
    latency: find(".latency"),
  };
}
