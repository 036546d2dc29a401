using Oriel.Linux.Clocks;
using Oriel.Linux.Polling;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Keyboard;

/// <summary>
/// Keycodes without a meaning in the guest's layout, lent to characters that the layout lacks. When all are taken, the ones unused for
/// longest are lent again. Two properties of clients limit how fast: they look up a key when they handle its event, not when it was
/// pressed; and Xlib loses a change that arrives while it fetches the previous one. So a keycode is reused only after a while, changes keep
/// a minimum distance, and one change puts the characters of a text on adjacent keycodes. Everyone who types on a display shares one
/// instance, each on its own thread. Nothing is taken back when one of them leaves, since that change could cost another's keys too.
/// </summary>
public sealed unsafe class SpareKeys : IDisposable
{
    private const int MaxSpares = 64,
        LevelsWritten = 2,
        MappingNotify = 34,
        MappingKeyboard = 1;
    private const long ReuseUs = 200_000,
        ChangeDistanceUs = 30_000;
    private readonly Lock _lock = new();
    private readonly List<Spare> _keys = [];
    private readonly XConnection _x;
    private long _changedUs;
    private bool _found;

    private SpareKeys(XConnection x) => _x = x;

    /// <exception cref="XException">No server there.</exception>
    public static SpareKeys Open(string display, string? authorityPath) => new(XConnection.Open(display, authorityPath));

    public void Dispose()
    {
        lock (_lock)
        {
            _x.Dispose();
        }
    }

    /// <summary>The most characters that one change can lend keycodes to.</summary>
    internal int LongestRun
    {
        get
        {
            lock (_lock)
            {
                Find();
                return LongestOfAll();
            }
        }
    }

    /// <summary>The keycode that produces <paramref name="keysym"/> on every level once this returns.</summary>
    /// <param name="typist">The connection whose typed keys are sent before this waits.</param>
    internal byte Map(uint keysym, XConnection typist)
    {
        lock (_lock)
        {
            LendMissing([keysym], typist);
            var spare = _keys.Find(key => key.KeySym == keysym)!;
            spare.UsedUs = MonotonicClock.NowUs;
            return spare.Keycode;
        }
    }

    /// <summary>Lends keycodes to the keysyms that have none, at most <see cref="LongestRun"/> of them per change.</summary>
    internal void Lend(IReadOnlyCollection<uint> keysyms, XConnection typist)
    {
        lock (_lock)
        {
            LendMissing(keysyms, typist);
        }
    }

    /// <summary>
    /// Something else is about to announce a new mapping to clients: XTEST's first key makes its keyboard the current one. The next change
    /// keeps its distance from that as well.
    /// </summary>
    internal void ExpectChange()
    {
        lock (_lock)
        {
            _changedUs = MonotonicClock.NowUs;
        }
    }

    /// <summary>Whether the keycode is a spare key, so that a change of its meaning was made here.</summary>
    internal bool Owns(int keycode)
    {
        lock (_lock)
        {
            return _keys.Exists(key => key.Keycode == keycode);
        }
    }

    private void LendMissing(IReadOnlyCollection<uint> keysyms, XConnection typist)
    {
        Find();
        var missing = keysyms.Where(keysym => !_keys.Exists(key => key.KeySym == keysym)).ToArray();
        foreach (var key in _keys.Where(key => keysyms.Contains(key.KeySym)))
        {
            key.UsedUs = MonotonicClock.NowUs;
        }

        for (var done = 0; done < missing.Length; )
        {
            var (first, length) = FindWindow(missing.Length - done);
            WaitUntil(Math.Max(_changedUs + ChangeDistanceUs, LastUse(first, length) + ReuseUs), typist);
            Write(first, missing.AsSpan(done, length));
            done += length;
        }
    }

    /// <summary>Someone else changed the layout (setxkbmap): nothing that was lent is left.</summary>
    private void ForgetIfLayoutChanged()
    {
        while (_x.TryReadEvent(out var e))
        {
            if (e.Type == MappingNotify && e.MappingRequest == MappingKeyboard && !_keys.Exists(key => key.Keycode == e.MappingFirst))
            {
                _keys.Clear();
                _found = false;
            }
        }
    }

    private void Find()
    {
        ForgetIfLayoutChanged();
        if (_found)
        {
            return;
        }

        int min,
            max,
            perCode;
        _ = Xlib.XDisplayKeycodes(_x.Handle, &min, &max);
        var syms = Xlib.XGetKeyboardMapping(_x.Handle, (byte)min, max - min + 1, &perCode);
        _x.ThrowIfBroken("reading the keyboard mapping");
        for (var keycode = min; syms != null && keycode <= max && _keys.Count < MaxSpares; keycode++)
        {
            // SAFETY: perCode keysyms for each of max - min + 1 keycodes.
            if (new ReadOnlySpan<nuint>(syms + (keycode - min) * perCode, perCode).IndexOfAnyExcept((nuint)0) < 0)
            {
                _keys.Add(new Spare { Keycode = (byte)keycode });
            }
        }

        if (syms != null)
        {
            _ = Xlib.XFree((nint)syms);
        }

        _found = true;
        if (_keys.Count == 0)
        {
            throw new XException("the keyboard has no spare keycode");
        }
    }

    /// <summary>
    /// The longest run of adjacent keycodes that may be lent now. If there is none, the run of full length that may be lent soonest.
    /// </summary>
    private (int First, int Length) FindWindow(int wanted)
    {
        var longest = Math.Min(wanted, LongestOfAll());
        var now = MonotonicClock.NowUs;
        for (var length = longest; length > 0; length--)
        {
            var free = OldestWindow(length);
            if (LastUse(free, length) + ReuseUs <= now)
            {
                return (free, length);
            }
        }

        return (OldestWindow(longest), longest);
    }

    private int LongestOfAll() => Enumerable.Range(0, _keys.Count).Max(RunLength);

    private int OldestWindow(int length) =>
        Enumerable.Range(0, _keys.Count).Where(index => RunLength(index) >= length).MinBy(index => LastUse(index, length));

    private int RunLength(int first)
    {
        var length = 1;
        while (first + length < _keys.Count && _keys[first + length].Keycode == _keys[first].Keycode + length)
        {
            length++;
        }

        return length;
    }

    private long LastUse(int first, int length) => _keys.GetRange(first, length).Max(key => key.UsedUs);

    private static void WaitUntil(long us, XConnection typist)
    {
        if (us > MonotonicClock.NowUs)
        {
            typist.Flush();
            using var poller = new Poller();
            poller.Wait(-1, us);
        }
    }

    private void Write(int first, ReadOnlySpan<uint> keysyms)
    {
        var levels = stackalloc nuint[keysyms.Length * LevelsWritten];
        var now = MonotonicClock.NowUs;
        for (var i = 0; i < keysyms.Length; i++)
        {
            levels[i * LevelsWritten] = levels[i * LevelsWritten + 1] = keysyms[i];
            _keys[first + i].KeySym = keysyms[i];
            _keys[first + i].UsedUs = now;
        }

        _ = Xlib.XChangeKeyboardMapping(_x.Handle, _keys[first].Keycode, LevelsWritten, levels, keysyms.Length);
        _x.Sync();
        _changedUs = MonotonicClock.NowUs;
    }

    private sealed class Spare
    {
        internal required byte Keycode { get; init; }

        internal uint KeySym { get; set; }

        internal long UsedUs { get; set; } = -ReuseUs;
    }
}
