using System.Net;

namespace Oriel.WebRtc.Ice;

/// <summary>
/// ICE-lite for one peer (RFC 8445 section 2.5): answers checks, follows nominations and tracks consent. Times are in microseconds. Used
/// only on the peer's loop, except for the credentials, which change under the peer's lock.
/// </summary>
internal sealed class IceAgent
{
    private const int MaxPaths = 16;
    private const long AliveTime = 4_000_000; // browsers check a good path every 2.5 s
    private readonly List<IcePath> _paths = [];
    private volatile IceCredentials _local = IceCredentials.Create();
    private volatile IceCredentials? _previous;
    private volatile IceCredentials? _remote;

    public IceCredentials Local => _local;
    public IceCredentials? Remote => _remote;

    /// <summary>Where to send; null before the first valid check and after consent is lost.</summary>
    public IcePath? Selected => _selected;

    private volatile IcePath? _selected;

    /// <summary>Whether <see cref="Selected"/> was nominated rather than just the first path that worked.</summary>
    public bool IsNominated { get; private set; }

    public IReadOnlyList<IcePath> Paths => _paths;

    public void SetRemote(IceCredentials remote) => _remote = remote;

    /// <summary>Creates new local credentials. The old ones stay valid until a check with the new ones nominates a path.</summary>
    public IceCredentials Restart(IceCredentials remote)
    {
        _previous = _local;
        _remote = remote;
        return _local = IceCredentials.Create();
    }

    /// <summary>
    /// Handles one check. Returns the length of the response in <paramref name="response"/>, 0 for none. <paramref name="valid"/> is set
    /// for an authentic request; the caller then passes the path to <see cref="OnValidCheck"/>.
    /// </summary>
    public int Answer(ReadOnlySpan<byte> packet, IPEndPoint from, Span<byte> response, out CheckResult valid)
    {
        valid = default;
        if (!StunMessage.TryParse(packet, out var request) || request.Type != StunMessage.BindingRequest || !request.HasFingerprint)
        {
            return 0;
        }

        var credentials = Match(request.Username);
        if (credentials is null || !request.VerifyIntegrity(credentials.Key))
        {
            // An error response would only help someone who is guessing. RFC 5389 section 10.1.2 allows silence on a transport that may be
            // spoofed.
            return 0;
        }

        var refused =
            request.UnknownRequired != 0 ? 420
            : request.IsControlled ? 487
            : 0;
        var writer = new StunWriter(response, refused == 0 ? StunMessage.BindingSuccess : StunMessage.BindingError, request.TransactionId);
        if (refused == 0)
        {
            writer.AddXorMappedAddress(from);
            valid = new CheckResult(true, request.UseCandidate, ReferenceEquals(credentials, _local));
        }
        else
        {
            writer.AddError(refused, refused == 420 ? "Unknown Attribute"u8 : "Role Conflict"u8);
            if (refused == 420)
            {
                writer.Add(StunAttribute.UnknownAttributes, [(byte)(request.UnknownRequired >> 8), (byte)request.UnknownRequired]);
            }
        }

        writer.AddIntegrity(credentials.Key);
        writer.AddFingerprint();
        return writer.Length;
    }

    /// <summary>
    /// Records consent and follows a nomination. The newest nomination wins, which is how a browser migrates. False when the peer has too
    /// many paths.
    /// </summary>
    public bool OnValidCheck(IcePath path, in CheckResult check, long now)
    {
        path.LastCheck = now;
        if (!_paths.Contains(path))
        {
            if (_paths.Count == MaxPaths && !DropOldest())
            {
                return false;
            }

            _paths.Add(path);
            path.OnTaken();
        }

        if (check.Nominates && check.IsCurrent)
        {
            _previous = null;
            if (TakesOver(path, now))
            {
                (_selected, IsNominated) = (path, true);
            }
        }
        else if (_selected is null || (check.Nominates && !IsNominated))
        {
            (_selected, IsNominated) = (path, check.Nominates);
        }

        return true;
    }

    // Firefox nominates every pair that works and expects the best one to be used, so TCP does not displace a live UDP path.
    private bool TakesOver(IcePath path, long now) =>
        _selected is not { } current || !IsNominated || !path.IsTcp || current.IsTcp || now - current.LastCheck > AliveTime;

    /// <summary>
    /// Drops the paths without a check since <paramref name="oldest"/>. If the selected one is among them, the path checked most recently
    /// takes its place.
    /// </summary>
    public void Expire(long oldest)
    {
        for (var i = _paths.Count - 1; i >= 0; i--)
        {
            if (_paths[i].LastCheck < oldest)
            {
                Remove(_paths[i]);
            }
        }
    }

    public void Remove(IcePath path)
    {
        if (!_paths.Remove(path))
        {
            return;
        }

        path.Close();
        if (ReferenceEquals(_selected, path))
        {
            _selected = _paths.MaxBy(p => p.LastCheck);
            IsNominated = false;
        }
    }

    public long LastCheck => _paths.Count == 0 ? long.MinValue : _paths.Max(p => p.LastCheck);

    public void Close()
    {
        _paths.ForEach(p => p.Close());
        _paths.Clear();
        _selected = null;
    }

    private bool DropOldest()
    {
        var oldest = _paths.Where(p => !ReferenceEquals(p, _selected)).MinBy(p => p.LastCheck);
        if (oldest is null)
        {
            return false;
        }

        Remove(oldest);
        return true;
    }

    private IceCredentials? Match(ReadOnlySpan<byte> username)
    {
        var colon = username.IndexOf((byte)':');
        if (colon <= 0)
        {
            return null;
        }

        var ufrag = username[..colon];
        if (Is(ufrag, _local))
        {
            return _local;
        }

        return Is(ufrag, _previous) ? _previous : null;
    }

    private static bool Is(ReadOnlySpan<byte> ufrag, IceCredentials? credentials) =>
        credentials is not null && ufrag.Length == credentials.Ufrag.Length && System.Text.Ascii.Equals(ufrag, credentials.Ufrag);
}

/// <summary>An authentic check: whether it nominates its path, and whether it used the current credentials.</summary>
internal readonly record struct CheckResult(bool IsValid, bool Nominates, bool IsCurrent);
