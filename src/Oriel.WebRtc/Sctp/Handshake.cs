using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Oriel.WebRtc.Sctp;

internal enum CookieVerdict
{
    Bad,

    /// <summary>A new association (or a restart, or a collision that the peer has won) begins.</summary>
    Fresh,

    /// <summary>The association already exists.</summary>
    Known,
}

/// <summary>The four-way handshake with T1 (RFC 9260 section 5), including crossing and repeated INITs (section 5.2).</summary>
internal sealed class Handshake(SctpOptions options, PacketWriter writer, RetransmissionTimeout rto)
{
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private byte[]? _pendingCookie;
    private bool _initPending;
    private int _tries;
    private uint _remoteTag;

    public uint LocalTag { get; private set; } = RandomTag();

    public uint InitialTsn { get; } = RandomTag();

    /// <summary>When T1 fires, in milliseconds.</summary>
    public double Deadline { get; private set; } = double.PositiveInfinity;

    public void SendInit(double now)
    {
        _initPending = true;
        writer.AddAlone(0, ChunkType.Init, 0, Local(LocalTag).Write([], null));
        Deadline = now + rto.Value;
    }

    /// <returns>False when the tries are used up.</returns>
    public bool Retry(double now)
    {
        if (++_tries > options.MaxInitRetransmissions)
        {
            return false;
        }

        rto.BackOff();
        if (_pendingCookie is { } cookie)
        {
            writer.AddAlone(_remoteTag, ChunkType.CookieEcho, 0, cookie);
            Deadline = now + rto.Value;
        }
        else if (_initPending)
        {
            SendInit(now);
        }

        return true;
    }

    public void Stop()
    {
        _pendingCookie = null;
        _initPending = false;
        _tries = 0;
        Deadline = double.PositiveInfinity;
    }

    /// <summary>Answers an INIT without storing anything: all state goes into the cookie.</summary>
    public void AnswerInit(ReadOnlySpan<byte> value, AssociationState state, double now)
    {
        var unrecognized = new List<byte[]>();
        if (state == AssociationState.ShutdownAckSent || !InitChunk.TryParse(value, out var remote, out _, unrecognized))
        {
            return;
        }

        // A peer that restarts must prove that it received our new tag. The tie tags show that it is the same peer (section 5.2.2).
        var restart = state >= AssociationState.Established;
        var local = Local(restart ? RandomTag() : LocalTag);
        var cookie = new StateCookie(local, remote, restart ? LocalTag : 0, restart ? _remoteTag : 0, now).Seal(_key);
        writer.AddAlone(remote.Tag, ChunkType.InitAck, 0, local.Write(cookie, unrecognized));
    }

    /// <returns>The peer's INIT ACK if it is valid, after sending COOKIE ECHO; otherwise null.</returns>
    public InitChunk? OnInitAck(ReadOnlySpan<byte> value, double now)
    {
        if (
            !InitChunk.TryParse(value, out var remote, out var cookie, null)
            || cookie.IsEmpty
            || cookie.Length > options.MaxPacketSize - 16
        )
        {
            return null;
        }

        _initPending = false;
        _tries = 0;
        _remoteTag = remote.Tag;
        _pendingCookie = cookie.ToArray();
        writer.AddAlone(remote.Tag, ChunkType.CookieEcho, 0, _pendingCookie);
        Deadline = now + rto.Value;
        return remote;
    }

    public CookieVerdict OnCookieEcho(ReadOnlySpan<byte> value, uint tag, AssociationState state, double now, out InitChunk remote)
    {
        remote = default;
        if (!StateCookie.TryOpen(value, _key, out var cookie) || cookie.Local.Tag != tag)
        {
            return CookieVerdict.Bad;
        }

        remote = cookie.Remote;
        var sameLocal = cookie.Local.Tag == LocalTag;
        var sameRemote = remote.Tag == _remoteTag;
        if (sameLocal && sameRemote && state >= AssociationState.CookieEchoed)
        {
            return CookieVerdict.Known;
        }

        if (now - cookie.CreatedAt > options.CookieLifetime.TotalMilliseconds)
        {
            ReportStale(remote.Tag, now - cookie.CreatedAt);
            return CookieVerdict.Bad;
        }

        var restart = state >= AssociationState.Established;
        var tied = cookie.LocalTieTag == LocalTag && cookie.RemoteTieTag == _remoteTag;
        if (restart ? sameLocal || sameRemote || !tied : !sameLocal)
        {
            return CookieVerdict.Bad;
        }

        LocalTag = cookie.Local.Tag;
        _remoteTag = remote.Tag;
        return CookieVerdict.Fresh;
    }

    private void ReportStale(uint remoteTag, double ageMs)
    {
        Span<byte> error = stackalloc byte[8];
        BinaryPrimitives.WriteUInt16BigEndian(error, ErrorCause.StaleCookie);
        BinaryPrimitives.WriteUInt16BigEndian(error[2..], 8);
        BinaryPrimitives.WriteUInt32BigEndian(
            error[4..],
            (uint)Math.Min(uint.MaxValue, (ageMs - options.CookieLifetime.TotalMilliseconds) * 1000)
        );
        writer.AddAlone(remoteTag, ChunkType.Error, 0, error);
    }

    private InitChunk Local(uint tag) => new(tag, (uint)options.ReceiveBuffer, options.MaxStreams, options.MaxStreams, InitialTsn);

    private static uint RandomTag() => (uint)RandomNumberGenerator.GetInt32(1, int.MaxValue);
}
