using System.Net;

namespace Oriel.WebRtc.Ice;

/// <summary>
/// The lite side of ICE for one peer (RFC 8445 section 2.5): it answers checks, follows the nomination and counts consent. Times are
/// microseconds. Called from the peer's loop only, apart from the credentials, which change under the peer's lock.
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

    /// <summary>Whether <see cref="Selected"/> was nominated, or is only the first that worked.</summary>
    public bool IsNominated { get; private set; }

    public IReadOnlyList<IcePath> Paths => _paths;

    public void SetRemote(IceCredentials remote) => _remote = remote;

    /// <summary>New local credentials; the old ones stay valid until a check with the new ones has nominated a path.</summary>
    public IceCredentials Restart(IceCredentials remote)
    {
        _previous = _local;
        _remote = remote;
        return _local = IceCredentials.Create();
    }

    /// <summary>
    /// Handles one check. Returns the length of the response in <paramref name="response"/>, 0 for none; <paramref name="valid"/> is true
    /// for an authentic request, after which the caller gives the path to <see cref="OnValidCheck"/>.
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
            // an error response would only help who guesses (RFC 5389 section 10.1.2 allows silence on a transport that may be spoofed)
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
    /// Notes consent, and follows a nomination: the newest one wins, which is how a browser migrates. False when the peer has too many
    /// paths.
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

    // Firefox nominates every pair that works and means the best: TCP does not displace a UDP path that is alive.
    private bool TakesOver(IcePath path, long now) =>
        _selected is not { } current || !IsNominated || !path.IsTcp || current.IsTcp || now - current.LastCheck > AliveTime;

    /// <summary>
    /// Drops the paths without a check since <paramref name="oldest"/>; when the selected one is among them, the freshest other takes its
    /// place.
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

/// <summary>An authentic check: whether it nominates, and whether with the current credentials.</summary>
internal readonly record struct CheckResult(bool IsValid, bool Nominates, bool IsCurrent);
