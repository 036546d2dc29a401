export interface Size {
  width: number;
  height: number;
}

export interface Box extends Size {
  left: number;
  top: number;
}

/** Where a picture of `content` size lies inside `box` when it is fitted and centred (object-fit: contain). */
export function containedBox(box: Box, content: Size): Box {
  if (content.width <= 0 || content.height <= 0) return box;
  const scale = Math.min(box.width / content.width, box.height / content.height);
  const width = content.width * scale;
  const height = content.height * scale;
  return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
}

/** A point of the page as a whole guest pixel, clamped to the desktop. */
export function toGuest(x: number, y: number, picture: Box, guest: Size): { x: number; y: number } {
  const axis = (value: number, start: number, length: number, pixels: number) =>
    length <= 0 ? 0 : Math.min(pixels - 1, Math.max(0, Math.floor(((value - start) / length) * pixels)));
  return {
    x: axis(x, picture.left, picture.width, guest.width),
    y: axis(y, picture.top, picture.height, guest.height),
  };
}

/**
 * The desktop size that fills `view` (CSS pixels) with a whole number of screen pixels for each desktop pixel: sharp on every
 * screen, and letters stay readable on one of high density. Even numbers, as the encoders want them.
 */
export function desktopSizeFor(view: Size, pixelRatio: number): Size {
  const ratio = Number.isFinite(pixelRatio) && pixelRatio > 0 ? pixelRatio : 1;
  const scale = ratio / Math.max(1, Math.floor(ratio));
  const fit = (value: number, least: number, most: number) => Math.min(most, Math.max(least, 2 * Math.floor((value * scale + 0.01) / 2)));
  return { width: fit(view.width, 320, 3840), height: fit(view.height, 240, 2160) };
}
