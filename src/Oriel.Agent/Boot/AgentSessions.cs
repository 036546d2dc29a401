using System.Security.Cryptography;
using Oriel.Protocol;

namespace Oriel.Agent.Boot;

/// <summary>
/// Those who have said Hello. Bounded twice: strangers, who can say Hello without knowing the key, displace only other strangers; a
/// session that has shown its proof is displaced only when <see cref="MaxProven"/> newer ones have.
/// </summary>
internal sealed class AgentSessions(byte[] agentKey, string desktopId)
{
    public const int MaxProven = 64;
    public const int MaxUnproven = 64;

    private readonly Lock _lock = new();
    private byte[] _key = agentKey;
    private string _desktopId = desktopId;
    private readonly Table _unproven = new(MaxUnproven);
    private readonly Table _proven = new(MaxProven);

    public string DesktopId => Volatile.Read(ref _desktopId);

    /// <summary>Another key and name from now on; who knew the old one is a stranger.</summary>
    public void Rekey(byte[] key, string name)
    {
        lock (_lock)
        {
            (_key, _desktopId) = (key, name);
            _unproven.Clear();
            _proven.Clear();
        }
    }

    /// <returns>The session and the agent's own proof.</returns>
    public (byte[] Session, byte[] Proof) Open(ReadOnlySpan<byte> clientNonce)
    {
        var session = RandomNumberGenerator.GetBytes(AgentProof.NonceLength);
        lock (_lock)
        {
            _unproven.Add(Convert.ToHexStringLower(session), AgentProof.OfServer(_key, clientNonce, session));
            return (session, AgentProof.OfAgent(_key, clientNonce, session));
        }
    }

    /// <summary>True when the proof (hex) is that of the session (hex). The comparison takes the same time wherever they differ.</summary>
    public bool Verify(string? session, string? proof)
    {
        if (session is not { Length: 2 * AgentProof.NonceLength } || proof is not { Length: 2 * 32 })
        {
            return false;
        }

        Span<byte> given = stackalloc byte[32];
        if (Convert.FromHexString(proof, given, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }

        lock (_lock)
        {
            if (_proven.TryGet(session, out var expected))
            {
                return CryptographicOperations.FixedTimeEquals(expected, given);
            }

            if (!_unproven.TryGet(session, out expected) || !CryptographicOperations.FixedTimeEquals(expected, given))
            {
                return false;
            }

            _unproven.Remove(session);
            _proven.Add(session, expected);
            return true;
        }
    }

    /// <summary>Holds the newest.</summary>
    private sealed class Table(int capacity)
    {
        private readonly OrderedDictionary<string, byte[]> _entries = new(StringComparer.Ordinal);

        public void Add(string session, byte[] expected)
        {
            if (_entries.Count == capacity)
            {
                _entries.RemoveAt(0);
            }

            _entries.Add(session, expected);
        }

        public bool TryGet(string session, out byte[] expected) => _entries.TryGetValue(session, out expected!);

        public void Remove(string session) => _entries.Remove(session);

        public void Clear() => _entries.Clear();
    }
}
