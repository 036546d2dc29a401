using System.Security.Cryptography;
using Oriel.Protocol;

namespace Oriel.Agent.Hosting;

/// <summary>
/// Those who have said Hello. Bounded twice: strangers, who can say Hello without knowing the key, displace only other strangers; a
/// session that has shown its proof is displaced only when <see cref="MaxProven"/> newer ones have.
/// </summary>
internal sealed class AgentSessions(byte[] agentKey)
{
    public const int MaxProven = 64;
    public const int MaxUnproven = 64;

    private readonly Lock _gate = new();
    private readonly Table _unproven = new(MaxUnproven);
    private readonly Table _proven = new(MaxProven);

    /// <returns>The session and the agent's own proof.</returns>
    public (byte[] Session, byte[] Proof) Open(ReadOnlySpan<byte> clientNonce)
    {
        var session = RandomNumberGenerator.GetBytes(AgentProof.NonceLength);
        var expected = AgentProof.OfServer(agentKey, clientNonce, session);
        lock (_gate)
        {
            _unproven.Add(Convert.ToHexStringLower(session), expected);
        }

        return (session, AgentProof.OfAgent(agentKey, clientNonce, session));
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

        lock (_gate)
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
    }
}
