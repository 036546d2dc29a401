using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Oriel.Screen.X11.Raw;

/// <summary>The X server refused a request, or is gone. <see cref="Exception.Message"/> names the step.</summary>
public sealed class XException(string message) : IOException(message);

/// <summary>
/// One connection to an X server. It belongs to one thread; nothing here locks. Errors that the server reports are kept
/// (<see cref="TakeError"/>) instead of ending the process, and a server that dies sets <see cref="IsBroken"/>.
/// </summary>
public sealed unsafe class XConnection : IDisposable
{
    private static readonly ConcurrentDictionary<nint, XConnection> Open_ = new();

    /// <summary>
    /// Held while a connection opens, meets its extensions, or closes, or has the server to itself: libXext (Xge.c, 1.3.4) frees its list
    /// of connections with the last of them and makes a new one with the next, without a lock, so that an opening beside a closing wrote
    /// into freed memory.
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

    /// <summary>The socket, for poll. Xlib may hold events that it has read already: ask <see cref="TryReadEvent"/> first.</summary>
    public int Descriptor { get; }

    internal nuint Root { get; }

    /// <summary>Whether the server has gone away; every later call is without effect.</summary>
    public bool IsBroken => _broken;

    /// <summary>
    /// Connects to <paramref name="display"/> (<c>:0</c>) with the cookie in <paramref name="authorityPath"/>, if there is one.
    /// </summary>
    /// <exception cref="XException">No server answers there, or it refuses the cookie.</exception>
    public static XConnection Open(string display, string? authorityPath)
    {
        // XSetAuthorization is for the whole process, too: a connection must be opened before the next cookie is set.
        lock (ConnectionsGate)
        {
            if (!HandlersSet)
            {
                // Before any other call. Each connection has one thread, but Xlib's own tables are shared, and without this nothing guards
                // them. Whether Xlib does it by itself differs between Debian's releases.
                if (Xlib.XInitThreads() == 0)
                {
                    throw new XException("Xlib has no threads");
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
    /// The next event if one is there; never blocks. Sends what is buffered. Call it until it gives none as the last thing before a wait
    /// on <see cref="Descriptor"/>: any other call may have taken events in.
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

    /// <summary>Waits until the server has done all requests so far.</summary>
    public void Sync()
    {
        if (!_broken)
        {
            _ = Xlib.XSync(Handle, 0);
        }
    }

    /// <summary>
    /// The last error that the server reported since the last call; null if none. Call <see cref="Sync"/> before to be sure.
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

    /// <summary>Size of the screen in pixels, asked from the server.</summary>
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
    /// Has the server serve nobody else until it is disposed. Nothing of this process connects meanwhile: Xlib (xcb_disp.c) holds its
    /// global lock until the server has answered, which it would not do, and whoever has the server may need that lock for any call of an
    /// extension.
    /// </summary>
    internal ServerGrab Grab() => new(this);

    /// <summary>
    /// The first call of each extension puts the connection into that extension's list; later ones only look it up. Absent ones are found
    /// absent by their users.
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

    /// <summary>Agrees with the server on XKB 1.</summary>
    /// <returns>The number of its event.</returns>
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

    /// <summary>Agrees with the server on XFixes 5, as each connection must before it asks for anything of it.</summary>
    /// <returns>The number of its first event.</returns>
    /// <exception cref="XException">The server has none.</exception>
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
