using System.Runtime.InteropServices;

namespace Oriel.Screen.X11.Raw;

/// <summary>An Xlib event (192 bytes on 64-bit systems), with the fields that Oriel reads at their offsets in Xlib.h.</summary>
[StructLayout(LayoutKind.Explicit, Size = 192)]
internal struct XEvent
{
    [FieldOffset(0)]
    public int Type;

    [FieldOffset(24)]
    public nint Display;

    [FieldOffset(32)]
    public nuint Window;

    // PropertyNotify
    [FieldOffset(40)]
    public nuint PropertyAtom;

    [FieldOffset(56)]
    public int PropertyState;

    // SelectionRequest: owner at Window
    [FieldOffset(40)]
    public nuint RequestRequestor;

    [FieldOffset(48)]
    public nuint RequestSelection;

    [FieldOffset(56)]
    public nuint RequestTarget;

    [FieldOffset(64)]
    public nuint RequestProperty;

    [FieldOffset(72)]
    public nuint RequestTime;

    // SelectionNotify: requestor at Window
    [FieldOffset(40)]
    public nuint NotifySelection;

    [FieldOffset(48)]
    public nuint NotifyTarget;

    [FieldOffset(56)]
    public nuint NotifyProperty;

    [FieldOffset(64)]
    public nuint NotifyTime;

    // SelectionClear: window at Window
    [FieldOffset(40)]
    public nuint ClearSelection;

    // XFixesSelectionNotify: subtype at 40
    [FieldOffset(40)]
    public int FixesSubtype;

    [FieldOffset(48)]
    public nuint FixesOwner;

    [FieldOffset(56)]
    public nuint FixesSelection;

    // MappingNotify
    [FieldOffset(40)]
    public int MappingRequest;

    [FieldOffset(44)]
    public int MappingFirst;

    [FieldOffset(48)]
    public int MappingCount;

    // XkbAnyEvent: the kind within the extension
    [FieldOffset(40)]
    public int XkbType;

    // Key and button events, as test clients read them
    [FieldOffset(64)]
    public int X;

    [FieldOffset(68)]
    public int Y;

    [FieldOffset(80)]
    public uint State;

    [FieldOffset(84)]
    public uint Detail;

    // ConfigureNotify: event at Window, window at 40
    [FieldOffset(56)]
    public int ConfigureWidth;

    [FieldOffset(60)]
    public int ConfigureHeight;
}

[StructLayout(LayoutKind.Sequential)]
internal struct XErrorEvent
{
    public int Type;
    public nint Display;
    public nuint ResourceId;
    public nuint Serial;
    public byte ErrorCode;
    public byte RequestCode;
    public byte MinorCode;
}

/// <summary>A rectangle in pixels, as X sends it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct XRectangle
{
    public short X,
        Y;
    public ushort Width,
        Height;
}

[StructLayout(LayoutKind.Sequential)]
internal struct XImage
{
    public int Width,
        Height,
        XOffset,
        Format;
    public nint Data;
    public int ByteOrder,
        BitmapUnit,
        BitmapBitOrder,
        BitmapPad,
        Depth,
        BytesPerLine,
        BitsPerPixel;
    public nuint RedMask,
        GreenMask,
        BlueMask;
    public nint ObjectData;
    public nint Create,
        Destroy,
        GetPixel,
        PutPixel,
        SubImage,
        AddPixel;
}

[StructLayout(LayoutKind.Sequential)]
internal struct XShmSegmentInfo
{
    public nuint Segment;
    public int Id;
    public nint Address;
    public int ReadOnly;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct XFixesCursorImage
{
    public short X,
        Y;
    public ushort Width,
        Height,
        HotX,
        HotY;
    public nuint Serial;
    public nuint* Pixels;
    public nuint Atom;
    public byte* Name;
}

[StructLayout(LayoutKind.Sequential)]
internal struct XWindowAttributes
{
    public int X,
        Y,
        Width,
        Height,
        BorderWidth,
        Depth;
    public nint Visual;
    public nuint Root;
    public int Class,
        BitGravity,
        WinGravity,
        BackingStore;
    public nuint BackingPlanes,
        BackingPixel;
    public int SaveUnder;
    public nuint Colormap;
    public int MapInstalled,
        MapState;
    public nint AllEventMasks,
        YourEventMask,
        DoNotPropagateMask;
    public int OverrideRedirect;
    public nint Screen;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct XRRScreenResources
{
    public nuint Timestamp,
        ConfigTimestamp;
    public int CrtcCount;
    public nuint* Crtcs;
    public int OutputCount;
    public nuint* Outputs;
    public int ModeCount;
    public XRRModeInfo* Modes;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct XRRModeInfo
{
    public nuint Id;
    public uint Width,
        Height;
    public nuint DotClock;
    public uint HSyncStart,
        HSyncEnd,
        HTotal,
        HSkew,
        VSyncStart,
        VSyncEnd,
        VTotal;
    public byte* Name;
    public uint NameLength;
    public nuint Flags;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct XRROutputInfo
{
    public nuint Timestamp;
    public nuint Crtc;
    public byte* Name;
    public int NameLength;
    public nuint MmWidth,
        MmHeight;
    public ushort Connection,
        SubpixelOrder;
    public int CrtcCount;
    public nuint* Crtcs;
    public int CloneCount;
    public nuint* Clones;
    public int ModeCount,
        PreferredCount;
    public nuint* Modes;
}
