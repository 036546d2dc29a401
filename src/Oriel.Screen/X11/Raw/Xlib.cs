using System.Runtime.InteropServices;
using Oriel.Screen.Native;

namespace Oriel.Screen.X11.Raw;

/// <summary>Raw libX11 and its extension libraries, as in their headers; <c>unsigned long</c> is <see cref="nuint"/>.</summary>
internal static unsafe partial class Xlib
{
    /// <summary>XkbUseCoreKbd.</summary>
    internal const uint CoreKeyboard = 0x100;

    [LibraryImport(NativeLibraries.X11, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint XOpenDisplay(string name);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XCloseDisplay(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial void XSetAuthorization(byte* name, int nameLength, byte* data, int dataLength);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XConnectionNumber(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nuint XDefaultRootWindow(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nint XDefaultVisual(nint display, int screen);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XDefaultDepth(nint display, int screen);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XPending(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XNextEvent(nint display, XEvent* e);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XFlush(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XSync(nint display, int discard);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XFree(nint data);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XGrabServer(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XUngrabServer(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nint XSetErrorHandler(delegate* unmanaged<nint, XErrorEvent*, int> handler);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nint XSetIOErrorHandler(delegate* unmanaged<nint, int> handler);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial void XSetIOErrorExitHandler(nint display, delegate* unmanaged<nint, nint, void> handler, nint data);

    [LibraryImport(NativeLibraries.X11, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nuint XInternAtom(nint display, string name, int onlyIfExists);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nint XGetAtomName(nint display, nuint atom);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XSelectInput(nint display, nuint window, nint mask);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XGetGeometry(
        nint display,
        nuint drawable,
        nuint* root,
        int* x,
        int* y,
        uint* width,
        uint* height,
        uint* border,
        uint* depth
    );

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XTranslateCoordinates(
        nint display,
        nuint source,
        nuint target,
        int x,
        int y,
        int* targetX,
        int* targetY,
        nuint* child
    );

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XGetWindowAttributes(nint display, nuint window, XWindowAttributes* attributes);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XGetWindowProperty(
        nint display,
        nuint window,
        nuint property,
        nint offset,
        nint length,
        int delete,
        nuint type,
        nuint* actualType,
        int* actualFormat,
        nuint* items,
        nuint* bytesAfter,
        nint* data
    );

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XChangeProperty(
        nint display,
        nuint window,
        nuint property,
        nuint type,
        int format,
        int mode,
        byte* data,
        int elements
    );

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XDeleteProperty(nint display, nuint window, nuint property);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nuint XCreateSimpleWindow(
        nint display,
        nuint parent,
        int x,
        int y,
        uint width,
        uint height,
        uint border,
        nuint borderColor,
        nuint background
    );

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XDestroyWindow(nint display, nuint window);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XConvertSelection(nint display, nuint selection, nuint target, nuint property, nuint requestor, nuint time);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XSetSelectionOwner(nint display, nuint selection, nuint owner, nuint time);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XInitThreads();

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nuint XGetSelectionOwner(nint display, nuint selection);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XSendEvent(nint display, nuint window, int propagate, nint mask, XEvent* e);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XQueryPointer(
        nint display,
        nuint window,
        nuint* root,
        nuint* child,
        int* rootX,
        int* rootY,
        int* x,
        int* y,
        uint* mask
    );

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XQueryKeymap(nint display, byte* keys);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XDisplayKeycodes(nint display, int* min, int* max);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nuint* XGetKeyboardMapping(nint display, byte first, int count, int* symsPerCode);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XChangeKeyboardMapping(nint display, int first, int symsPerCode, nuint* syms, int count);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XRefreshKeyboardMapping(XEvent* e);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nint XGetModifierMapping(nint display);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XFreeModifiermap(nint map);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XkbGetState(nint display, uint device, byte* state);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XkbLookupKeySym(nint display, byte keycode, uint modifiers, uint* consumed, nuint* keysym);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XkbQueryExtension(nint display, int* opcode, int* eventBase, int* errorBase, int* major, int* minor);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XkbSelectEvents(nint display, uint device, uint affect, uint values);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XkbSetAutoRepeatRate(nint display, uint device, uint delayMs, uint intervalMs);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XkbLockModifiers(nint display, uint device, uint affect, uint values);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial int XGetErrorText(nint display, int code, byte* buffer, int length);

    [LibraryImport(NativeLibraries.X11)]
    internal static partial nint XGetImage(nint display, nuint drawable, int x, int y, uint width, uint height, nuint planes, int format);

    [LibraryImport(NativeLibraries.Xext)]
    internal static partial int XShmQueryExtension(nint display);

    [LibraryImport(NativeLibraries.Xext)]
    internal static partial XImage* XShmCreateImage(
        nint display,
        nint visual,
        uint depth,
        int format,
        nint data,
        XShmSegmentInfo* info,
        uint width,
        uint height
    );

    [LibraryImport(NativeLibraries.Xext)]
    internal static partial int XShmAttach(nint display, XShmSegmentInfo* info);

    [LibraryImport(NativeLibraries.Xext)]
    internal static partial int XShmDetach(nint display, XShmSegmentInfo* info);

    [LibraryImport(NativeLibraries.Xext)]
    internal static partial int XShmGetImage(nint display, nuint drawable, XImage* image, int x, int y, nuint planes);

    [LibraryImport(NativeLibraries.Xdamage)]
    internal static partial int XDamageQueryExtension(nint display, int* eventBase, int* errorBase);

    [LibraryImport(NativeLibraries.Xdamage)]
    internal static partial nuint XDamageCreate(nint display, nuint drawable, int level);

    [LibraryImport(NativeLibraries.Xdamage)]
    internal static partial void XDamageSubtract(nint display, nuint damage, nuint repair, nuint parts);

    [LibraryImport(NativeLibraries.Xfixes)]
    internal static partial int XFixesQueryExtension(nint display, int* eventBase, int* errorBase);

    [LibraryImport(NativeLibraries.Xfixes)]
    internal static partial int XFixesQueryVersion(nint display, int* major, int* minor);

    [LibraryImport(NativeLibraries.Xfixes)]
    internal static partial nuint XFixesCreateRegion(nint display, XRectangle* rectangles, int count);

    [LibraryImport(NativeLibraries.Xfixes)]
    internal static partial XRectangle* XFixesFetchRegionAndBounds(nint display, nuint region, int* count, XRectangle* bounds);

    [LibraryImport(NativeLibraries.Xfixes)]
    internal static partial void XFixesSelectCursorInput(nint display, nuint window, nuint mask);

    [LibraryImport(NativeLibraries.Xfixes)]
    internal static partial XFixesCursorImage* XFixesGetCursorImage(nint display);

    [LibraryImport(NativeLibraries.Xfixes)]
    internal static partial void XFixesSelectSelectionInput(nint display, nuint window, nuint selection, nuint mask);

    [LibraryImport(NativeLibraries.Xtst)]
    internal static partial int XTestQueryExtension(nint display, int* eventBase, int* errorBase, int* major, int* minor);

    [LibraryImport(NativeLibraries.Xtst)]
    internal static partial int XTestFakeKeyEvent(nint display, uint keycode, int press, nuint delay);

    [LibraryImport(NativeLibraries.Xtst)]
    internal static partial int XTestFakeButtonEvent(nint display, uint button, int press, nuint delay);

    [LibraryImport(NativeLibraries.Xtst)]
    internal static partial int XTestFakeMotionEvent(nint display, int screen, int x, int y, nuint delay);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial int XRRQueryExtension(nint display, int* eventBase, int* errorBase);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial void XRRSelectInput(nint display, nuint window, int mask);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial int XRRUpdateConfiguration(XEvent* e);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial int XRRGetScreenSizeRange(
        nint display,
        nuint window,
        int* minWidth,
        int* minHeight,
        int* maxWidth,
        int* maxHeight
    );

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial XRRScreenResources* XRRGetScreenResourcesCurrent(nint display, nuint window);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial void XRRFreeScreenResources(XRRScreenResources* resources);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial XRROutputInfo* XRRGetOutputInfo(nint display, XRRScreenResources* resources, nuint output);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial void XRRFreeOutputInfo(XRROutputInfo* info);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial nuint XRRCreateMode(nint display, nuint window, XRRModeInfo* mode);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial void XRRDestroyMode(nint display, nuint mode);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial void XRRAddOutputMode(nint display, nuint output, nuint mode);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial void XRRDeleteOutputMode(nint display, nuint output, nuint mode);

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial int XRRSetCrtcConfig(
        nint display,
        XRRScreenResources* resources,
        nuint crtc,
        nuint time,
        int x,
        int y,
        nuint mode,
        ushort rotation,
        nuint* outputs,
        int count
    );

    [LibraryImport(NativeLibraries.Xrandr)]
    internal static partial void XRRSetScreenSize(nint display, nuint window, int width, int height, int mmWidth, int mmHeight);
}
