using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Oriel.Screen.X11.Raw;

/// <summary>The X server refused a request, or is gone. <see cref="Exception.Message"/> names the step.</summary>
public sealed class XException(string message) : IOException(message);

/// <summary>
/// One connection to an X server. It belongs to one thread; nothing here locks. Errors reported by the server are stored
/// (<see cref="TakeError"/>) instead of ending the process, and a server that dies sets <see cref="IsBroken"/>.
/// </summary>
public sealed unsafe class XConnection : IDisposable
{
    private static readonly ConcurrentDictionary<nint, XConnection> Open_ = new();

    /// <summary>
    /// Held while a connection opens, queries its extensions, closes, or has the server to itself. libXext (Xge.c, 1.3.4) frees its list of
    /// connections with the last of them and creates a new one with the next, without a lock: opening one connection while another closes
    /// writes to freed memory.
    /// </summary>
    private static readonly Lock ConnectionsGate = new();
    private static bool HandlersSet;
    private readonly Dictionary<string, nuint> _atoms = [];
    private XErrorEvent _error;
    private volatile bool _broken;

    private XConnection(nint handle)
    {
        Handle = handle;
        Descriptor = Xlib.XConnectionNumber(handle);
        Root = Xlib.XDefaultRootWindow(handle);
    }

    internal nint Handle { get; private set; }

    /// <summary>The socket, for poll. Xlib may hold events that it has already read: call <see cref="TryReadEvent"/> first.</summary>
    public int Descriptor { get; }

    internal nuint Root { get; }

    /// <summary>Whether the server is gone; later calls have no effect.</summary>
    public bool IsBroken => _broken;

    /// <summary>
    /// Connects to <paramref name="display"/> (<c>:0</c>) with the cookie in <paramref name="authorityPath"/>, if there is one.
    /// </summary>
    /// <exception cref="XException">No server answers there, or it refuses the cookie.</exception>
    public static XConnection Open(string display, string? authorityPath)
    {
        // XSetAuthorization also affects the whole process: a connection must be opened before the next cookie is set.
        lock (ConnectionsGate)
        {
            if (!HandlersSet)
            {
                // Before any other call. Each connection has one thread, but Xlib's own tables are shared, and without this nothing guards
                // them. Whether Xlib calls it by itself differs between Debian releases.
                if (Xlib.XInitThreads() == 0)
                {
                    throw new XException("Xlib has no thread support");
                }

                // SAFETY: static functions, alive as long as the process.
                Xlib.XSetErrorHandler(&OnError);
                Xlib.XSetIOErrorHandler(&OnIOError);
                HandlersSet = true;
            }

            SetCookie(authorityPath is null ? null : XAuthority.ReadCookie(authorityPath, display));
            var handle = Xlib.XOpenDisplay(display);
            if (handle == 0)
            {
                throw new XException($"no X server answers at {display}, or it refuses the cookie");
            }

            // SAFETY: a static function; without it Xlib ends the process when the server dies (libX11 1.7 and later).
            Xlib.XSetIOErrorExitHandler(handle, &OnIOErrorExit, 0);
            var connection = new XConnection(handle);
            Open_[handle] = connection;
            connection.MeetExtensions();
            return connection;
        }
    }

    internal nuint Atom(string name)
    {
        if (!_atoms.TryGetValue(name, out var atom))
        {
            _atoms[name] = atom = Xlib.XInternAtom(Handle, name, 0);
        }

        return atom;
    }

    internal string? AtomName(nuint atom)
    {
        if (atom == 0)
        {
            return null;
        }

        var name = Xlib.XGetAtomName(Handle, atom);
        var text = Marshal.PtrToStringUTF8(name);
        if (name != 0)
        {
            _ = Xlib.XFree(name);
        }

        return text;
    }

    /// <summary>
    /// Reads the next event, if there is one; never blocks. Sends what is buffered. Before a wait on <see cref="Descriptor"/>, call it last
    /// and until it returns false: any other call may have read events.
    /// </summary>
    internal bool TryReadEvent(out XEvent e)
    {
        e = default;
        if (_broken || Xlib.XPending(Handle) <= 0 || _broken)
        {
            return false;
        }

        // SAFETY: the struct has XEvent's size.
        fixed (XEvent* pointer = &e)
        {
            _ = Xlib.XNextEvent(Handle, pointer);
        }

        return !_broken;
    }

    /// <summary>Sends what is buffered.</summary>
    public void Flush()
    {
        if (!_broken)
        {
            _ = Xlib.XFlush(Handle);
        }
    }

    /// <summary>Waits until the server has handled all requests so far.</summary>
    public void Sync()
    {
        if (!_broken)
        {
            _ = Xlib.XSync(Handle, 0);
        }
    }

    /// <summary>
    /// The last error the server has reported since the previous call; null if none. Call <see cref="Sync"/> first to be sure.
    /// </summary>
    internal string? TakeError()
    {
        if (_error.ErrorCode == 0)
        {
            return null;
        }

        var buffer = stackalloc byte[128];
        _ = Xlib.XGetErrorText(Handle, _error.ErrorCode, buffer, 128);
        var text = $"{Marshal.PtrToStringUTF8((nint)buffer)} (request {_error.RequestCode}.{_error.MinorCode})";
        _error = default;
        return text;
    }

    internal void ThrowIfBroken(string step)
    {
        if (_broken)
        {
            throw new XException($"the X server went away during {step}");
        }
    }

    /// <summary>The screen's size in pixels, queried from the server.</summary>
    public (int Width, int Height) ReadScreenSize()
    {
        nuint root;
        int x,
            y;
        uint width,
            height,
            border,
            depth;
        // SAFETY: all out parameters are locals.
        var ok = Xlib.XGetGeometry(Handle, Root, &root, &x, &y, &width, &height, &border, &depth);
        ThrowIfBroken("the screen size");
        return ok != 0 ? ((int)width, (int)height) : throw new XException("the X server gave no screen size");
    }

    public void Dispose()
    {
        if (Handle == 0)
        {
            return;
        }

        lock (ConnectionsGate)
        {
            Open_.TryRemove(Handle, out _);
            _ = Xlib.XCloseDisplay(Handle);
        }

        Handle = 0;
        _broken = true;
    }

    /// <summary>
    /// Makes the server serve only this connection until disposed. Until then no other connection of this process opens: Xlib (xcb_disp.c)
    /// would hold its global lock until the server answers. A grabbed server does not answer, and the grabbing connection may need that
    /// lock for any call of an extension.
    /// </summary>
    internal ServerGrab Grab() => new(this);

    /// <summary>
    /// The first call of each extension adds the connection to that extension's list; later calls only look it up. Code that uses an
    /// extension checks for itself whether it is missing.
    /// </summary>
    private void MeetExtensions()
    {
        int a,
            b,
            c,
            d;
        _ = Xlib.XShmQueryExtension(Handle);
        _ = Xlib.XFixesQueryExtension(Handle, &a, &b);
        _ = Xlib.XDamageQueryExtension(Handle, &a, &b);
        _ = Xlib.XRRQueryExtension(Handle, &a, &b);
        _ = Xlib.XTestQueryExtension(Handle, &a, &b, &c, &d);
    }

    /// <summary>Negotiates XKB 1 with the server.</summary>
    /// <returns>The number of XKB's event.</returns>
    internal int UseKeyboard()
    {
        int opcode,
            eventBase,
            errorBase,
            major = 1,
            minor = 0;
        _ = Xlib.XkbQueryExtension(Handle, &opcode, &eventBase, &errorBase, &major, &minor);
        return eventBase;
    }

    /// <summary>Negotiates XFixes 5 with the server, as every connection must before using it.</summary>
    /// <returns>The number of XFixes' first event.</returns>
    /// <exception cref="XException">The server has no XFixes.</exception>
    internal int UseFixes()
    {
        int eventBase,
            errorBase,
            major = 5,
            minor = 0;
        if (Xlib.XFixesQueryExtension(Handle, &eventBase, &errorBase) == 0)
        {
            throw new XException("the X server has no XFIXES");
        }

        _ = Xlib.XFixesQueryVersion(Handle, &major, &minor);
        return eventBase;
    }

    private static void SetCookie(byte[]? cookie)
    {
        var name = "MIT-MAGIC-COOKIE-1"u8;
        // SAFETY: Xlib copies both buffers.
        fixed (byte* namePointer = name)
        fixed (byte* data = cookie)
        {
            Xlib.XSetAuthorization(cookie is null ? null : namePointer, cookie is null ? 0 : name.Length, data, cookie?.Length ?? 0);
        }
    }

    [UnmanagedCallersOnly]
    private static int OnError(nint display, XErrorEvent* e)
    {
        if (Open_.TryGetValue(display, out var connection))
        {
            connection._error = *e;
        }

        return 0;
    }

    [UnmanagedCallersOnly]
    private static int OnIOError(nint display)
    {
        if (Open_.TryGetValue(display, out var connection))
        {
            connection._broken = true;
        }

        return 0;
    }

    [UnmanagedCallersOnly]
    private static void OnIOErrorExit(nint display, nint data)
    {
        if (Open_.TryGetValue(display, out var connection))
        {
            connection._broken = true;
        }
    }

    internal readonly ref struct ServerGrab
    {
        private readonly XConnection _x;
        private readonly Lock.Scope _scope;

        public ServerGrab(XConnection x)
        {
            _x = x;
            _scope = ConnectionsGate.EnterScope();
            _ = Xlib.XGrabServer(x.Handle);
        }

        public void Dispose()
        {
            _ = Xlib.XUngrabServer(_x.Handle);
            _x.Sync();
            _scope.Dispose();
        }
    }
}
