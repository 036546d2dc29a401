using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Sessions;

/// <summary>
/// One desktop's egress: its policy, its log and its open connections. Made by <see cref="EgressGateway.Register"/>; safe for concurrent
/// use.
/// </summary>
public sealed class EgressSession : IDisposable
{
    private readonly byte[] _key;
    private readonly int _maxConnections;
    private readonly Action<EgressSession> _unregister;
    private readonly Lock _lock = new();
    private readonly HashSet<OpenConnection> _open = [];
    private readonly CancellationTokenSource _ended = new();
    private EgressPolicy _policy;
    private int _handedOver;
    private volatile string _internet = "unknown";

    internal EgressSession(
        string desktopId,
        byte[] key,
        EgressPolicy policy,
        EgressOptions options,
        TimeProvider clock,
        Action<EgressSession> unregister
    )
    {
        DesktopId = desktopId;
        _key = key;
        _policy = policy;
        _maxConnections = options.MaxConnectionsPerDesktop;
        _unregister = unregister;
        Log = new EgressLog(options.LogCapacity, clock);
    }

    public string DesktopId { get; }

    public EgressLog Log { get; }

    public EgressPolicy Policy
    {
        get
        {
            lock (_lock)
            {
                return _policy;
            }
        }
    }

    /// <summary>Connections that are open at present.</summary>
    public int Connections
    {
        get
        {
            lock (_lock)
            {
                return _open.Count;
            }
        }
    }

    /// <summary>
    /// <c>reachable</c> or <c>unreachable</c> as this desktop's own last connection to a public address found it, else <c>unknown</c>.
    /// Nothing is probed for it.
    /// </summary>
    public string Internet => _internet;

    internal CancellationToken Ended => _ended.Token;

    /// <summary>
    /// Takes effect immediately: open connections that the new policy refuses, or that would take another way out, are cut.
    /// </summary>
    /// <exception cref="ArgumentException">The policy does not validate.</exception>
    public void SetPolicy(EgressPolicy policy)
    {
        if (policy.Validate() is { } error)
        {
            throw new ArgumentException(error, nameof(policy));
        }

        OpenConnection[] cut;
        lock (_lock)
        {
            var otherWay = !Equals(_policy.Upstream, policy.Upstream);
            _policy = policy;
            cut = [.. _open.Where(connection => otherWay || !connection.IsAllowedBy(policy))];
        }

        foreach (var connection in cut)
        {
            connection.Cut(EgressReason.PolicyChanged);
        }
    }

    /// <summary>Cuts every connection and hands none over any more. Idempotent.</summary>
    public void Dispose()
    {
        _unregister(this);
        OpenConnection[] cut;
        lock (_lock)
        {
            cut = [.. _open];
        }

        _ended.Cancel();
        foreach (var connection in cut)
        {
            connection.Cut(EgressReason.DesktopGone);
        }
    }

    /// <summary>The canary's body: only this desktop's egress can make it.</summary>
    public static string CanaryBody(ReadOnlySpan<byte> key, string nonce) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes("canary" + nonce)));

    internal string CanaryBody(string nonce) => CanaryBody(_key, nonce);

    internal bool HasKey(ReadOnlySpan<byte> key) => CryptographicOperations.FixedTimeEquals(_key, key);

    /// <summary>Counts a connection that a keeper hands over; false when the desktop has too many.</summary>
    internal bool TryEnter()
    {
        if (Interlocked.Increment(ref _handedOver) <= _maxConnections)
        {
            return true;
        }

        Interlocked.Decrement(ref _handedOver);
        return false;
    }

    internal void Leave() => Interlocked.Decrement(ref _handedOver);

    /// <summary>
    /// Adds a dialled connection to those that a new policy may cut. The policy is asked again under the same lock, so that a
    /// connection dialled while the policy changed cannot slip through.
    /// </summary>
    internal bool TryOpen(OpenConnection connection, UpstreamProxy? dialledThrough)
    {
        lock (_lock)
        {
            if (_ended.IsCancellationRequested || !Equals(_policy.Upstream, dialledThrough) || !connection.IsAllowedBy(_policy))
            {
                return false;
            }

            _open.Add(connection);
            return true;
        }
    }

    internal void Close(OpenConnection connection)
    {
        lock (_lock)
        {
            _open.Remove(connection);
        }
    }

    internal void SawInternet(bool reachable) => _internet = reachable ? "reachable" : "unreachable";
}

/// <summary>A dialled connection of a desktop, with the one way to cut it off from outside.</summary>
/// <param name="address">Null where an upstream proxy resolved the name.</param>
internal sealed class OpenConnection(EgressRecord record, Socket remote, IPAddress? address)
{
    public bool IsAllowedBy(EgressPolicy policy) => policy.EvaluateAddress(record.Host, address, record.Port).Allowed;

    /// <summary>Ends both directions: the relay sees a broken socket and closes the guest's side as well.</summary>
    public void Cut(EgressReason reason)
    {
        record.Refuse(reason);
        try
        {
            remote.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It ended by itself in the meantime.
        }
    }
}
