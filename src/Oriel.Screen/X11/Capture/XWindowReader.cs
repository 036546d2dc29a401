using System.Text;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Capture;

/// <param name="Id">X window id.</param>
/// <param name="Class">WM_CLASS's second part, such as <c>Xfce4-terminal</c>.</param>
public sealed record XWindowInfo(uint Id, string Title, string Class, int X, int Y, int Width, int Height, bool Mapped);

/// <summary>
/// Reads the windows that the window manager lists (_NET_CLIENT_LIST, EWMH 1.5) and recognizes the events of their changes.
/// </summary>
internal sealed unsafe class XWindowReader(XConnection x)
{
    private const int PropertyChangeMask = 1 << 22,
        StructureNotifyMask = 1 << 17;
    private const int MaxWindows = 256,
        MaxTextBytes = 1024,
        Viewable = 2;
    private readonly HashSet<nuint> _watched = [];

    /// <summary>Whether the event may change what <see cref="Read"/> returns.</summary>
    internal bool Concerns(in XEvent e) =>
        e.Type switch
        {
            PropertyNotify => e.Window == x.Root
                ? e.PropertyAtom == x.Atom("_NET_CLIENT_LIST")
                : e.PropertyAtom == x.Atom("_NET_WM_NAME") || e.PropertyAtom == x.Atom("WM_NAME") || e.PropertyAtom == x.Atom("WM_CLASS"),
            ConfigureNotify or MapNotify or UnmapNotify or DestroyNotify => _watched.Contains(e.Window),
            _ => false,
        };

    internal const int PropertyNotify = 28,
        ConfigureNotify = 22,
        MapNotify = 19,
        UnmapNotify = 18,
        DestroyNotify = 17;

    internal List<XWindowInfo> Read()
    {
        var ids = x.ReadProperty(x.Root, x.Atom("_NET_CLIENT_LIST"), MaxWindows * sizeof(uint));
        var windows = new List<XWindowInfo>();
        var present = new HashSet<nuint>();
        // A property of format 32 comes as an array of C longs.
        for (var i = 0; ids is not null && i + sizeof(nuint) <= ids.Length && windows.Count < MaxWindows; i += sizeof(nuint))
        {
            var id = (nuint)BitConverter.ToUInt64(ids, i);
            present.Add(id);
            if (_watched.Add(id))
            {
                _ = Xlib.XSelectInput(x.Handle, id, PropertyChangeMask | StructureNotifyMask);
            }

            if (Describe(id) is { } window)
            {
                windows.Add(window);
            }
        }

        _watched.IntersectWith(present);
        // Errors about windows that went away meanwhile are harmless.
        _ = x.TakeError();
        return windows;
    }

    private XWindowInfo? Describe(nuint id)
    {
        XWindowAttributes attributes;
        // SAFETY: the struct has Xlib's layout.
        if (Xlib.XGetWindowAttributes(x.Handle, id, &attributes) == 0)
        {
            return null;
        }

        int left,
            top;
        nuint child;
        _ = Xlib.XTranslateCoordinates(x.Handle, id, x.Root, 0, 0, &left, &top, &child);
        var title = x.ReadProperty(id, x.Atom("_NET_WM_NAME"), MaxTextBytes) ?? x.ReadProperty(id, x.Atom("WM_NAME"), MaxTextBytes) ?? [];
        var names = Encoding.UTF8.GetString(x.ReadProperty(id, x.Atom("WM_CLASS"), MaxTextBytes) ?? []).Split('\0');
        return new(
            (uint)id,
            Encoding.UTF8.GetString(title),
            names.Length > 1 ? names[1] : names[0],
            left,
            top,
            attributes.Width,
            attributes.Height,
            attributes.MapState == Viewable
        );
    }
}
