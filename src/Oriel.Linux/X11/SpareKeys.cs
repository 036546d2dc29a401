using Oriel.Linux.Posix;

namespace Oriel.Linux.X11;

/// <summary>
/// Keycodes without a meaning in the guest's layout, lent to characters that the layout does not have; the longest unused ones are
/// lent anew when all are taken. Two facts of clients bound how fast: they look a key up when they handle its event, not when it was
/// pressed; and Xlib loses a change that arrives while it fetches the one before. So a keycode is lent anew only after a while, changes
/// keep a distance, and the characters of a text are put on neighbouring keycodes by one change.
/// </summary>
internal sealed unsafe class SpareKeys(XConnection x)
{
    private const int MaxSpares = 64, LevelsWritten = 2;
    private const long ReuseUs = 200_000, ChangeDistanceUs = 30_000;
    private readonly List<Spare> _keys = [];
    private long _changedUs;
    private bool _found;

    /// <summary>How many characters one change can lend at most.</summary>
    internal int LongestRun
    {
        get
        {
            Find();
            return Enumerable.Range(0, _keys.Count).Max(RunLength);
        }
    }

    /// <summary>The keycode that gives <paramref name="keysym"/> on each level once this returns.</summary>
    internal byte Map(uint keysym)
    {
        Lend([keysym]);
        var spare = _keys.Find(key => key.KeySym == keysym)!;
        spare.UsedUs = Poller.NowUs;
        return spare.Keycode;
    }

    /// <summary>Lends keycodes to those that have none, up to <see cref="LongestRun"/> of them by one change.</summary>
    internal void Lend(IReadOnlyCollection<uint> keysyms)
    {
        Find();
        var missing = keysyms.Where(keysym => !_keys.Exists(key => key.KeySym == keysym)).ToArray();
        foreach (var key in _keys.Where(key => keysyms.Contains(key.KeySym)))
        {
            key.UsedUs = Poller.NowUs;
        }

        for (var done = 0; done < missing.Length;)
        {
            var (first, length) = FindWindow(missing.Length - done);
            WaitUntil(Math.Max(_changedUs + ChangeDistanceUs, LastUse(first, length) + ReuseUs));
            Write(first, missing.AsSpan(done, length));
            done += length;
        }
    }

    /// <summary>
    /// Clients are about to be told of a new mapping by something else: XTEST's first key makes its keyboard the current one. The next
    /// change keeps its distance from that, too.
    /// </summary>
    internal void ExpectChange() => _changedUs = Poller.NowUs;

    /// <summary>Whether a change of this keycode's meaning is one of these.</summary>
    internal bool Owns(int keycode) => _keys.Exists(key => key.Keycode == keycode);

    /// <summary>The layout was changed by someone else: nothing that was lent is there any more.</summary>
    internal void Forget()
    {
        _keys.Clear();
        _found = false;
    }

    /// <summary>Takes back all that is lent, neighbours by one change: each change makes every client fetch the mapping while another viewer may type.</summary>
    internal void Restore()
    {
        for (var index = 0; index < _keys.Count; index++)
        {
            var length = 0;
            while (length < RunLength(index) && _keys[index + length].KeySym != 0)
            {
                length++;
            }

            if (length > 0)
            {
                WaitUntil(_changedUs + ChangeDistanceUs);
                Write(index, new uint[length]);
                index += length - 1;
            }
        }

        Forget();
    }

    private void Find()
    {
        if (_found)
        {
            return;
        }

        int min, max, perCode;
        _ = Xlib.XDisplayKeycodes(x.Handle, &min, &max);
        var syms = Xlib.XGetKeyboardMapping(x.Handle, (byte)min, max - min + 1, &perCode);
        x.ThrowIfBroken("reading the keyboard mapping");
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

    /// <summary>The longest run of neighbours that may be lent now; if there is none, the one of full length that may be soonest.</summary>
    private (int First, int Length) FindWindow(int wanted)
    {
        var longest = Math.Min(wanted, LongestRun);
        var now = Poller.NowUs;
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

    private int OldestWindow(int length) => Enumerable.Range(0, _keys.Count).Where(index => RunLength(index) >= length).MinBy(index => LastUse(index, length));

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

    private void WaitUntil(long us)
    {
        if (us > Poller.NowUs)
        {
            // What was typed so far must be on its way while this waits.
            x.Flush();
            using var poller = new Poller();
            poller.Wait(-1, us);
        }
    }

    private void Write(int first, ReadOnlySpan<uint> keysyms)
    {
        var levels = stackalloc nuint[keysyms.Length * LevelsWritten];
        var now = Poller.NowUs;
        for (var i = 0; i < keysyms.Length; i++)
        {
            levels[i * LevelsWritten] = levels[i * LevelsWritten + 1] = keysyms[i];
            _keys[first + i].KeySym = keysyms[i];
            _keys[first + i].UsedUs = now;
        }

        _ = Xlib.XChangeKeyboardMapping(x.Handle, _keys[first].Keycode, LevelsWritten, levels, keysyms.Length);
        x.Sync();
        _changedUs = Poller.NowUs;
    }

    private sealed class Spare
    {
        internal required byte Keycode { get; init; }

        internal uint KeySym { get; set; }

        internal long UsedUs { get; set; } = -ReuseUs;
    }
}
