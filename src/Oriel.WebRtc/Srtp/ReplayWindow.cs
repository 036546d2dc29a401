namespace Oriel.WebRtc.Srtp;

/// <summary>The last 64 indices seen (RFC 3711 section 3.3.2). Check before, and commit only after, authentication.</summary>
internal struct ReplayWindow
{
    private ulong _seen;
    private ulong _highest;
    private bool _any;

    public readonly bool IsFresh(ulong index)
    {
        if (!_any || index > _highest)
        {
            return true;
        }

        var age = _highest - index;
        return age < 64 && (_seen >> (int)age & 1) == 0;
    }

    public void Commit(ulong index)
    {
        if (!_any)
        {
            (_any, _highest, _seen) = (true, index, 1);
        }
        else if (index > _highest)
        {
            var shift = index - _highest;
            _seen = shift >= 64 ? 1 : (_seen << (int)shift) | 1;
            _highest = index;
        }
        else
        {
            _seen |= 1UL << (int)(_highest - index);
        }
    }
}
