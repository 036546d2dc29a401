using System.Security.Cryptography;
using System.Text;

namespace Oriel.Protocol;

/// <summary>
/// The two proofs of the agent link (see Hello in guest.proto): each side shows that it knows the agent key without sending it.
/// </summary>
public static class AgentProof
{
    public const string SessionHeader = "oriel-session";
    public const string ProofHeader = "oriel-proof";
    public const string ProtocolName = "oriel.guest.v1";
    public const int NonceLength = 32;

    public static byte[] OfAgent(ReadOnlySpan<byte> key, ReadOnlySpan<byte> clientNonce, ReadOnlySpan<byte> session) =>
        Compute(key, "agent", clientNonce, session);

    public static byte[] OfServer(ReadOnlySpan<byte> key, ReadOnlySpan<byte> clientNonce, ReadOnlySpan<byte> session) =>
        Compute(key, "server", clientNonce, session);

    private static byte[] Compute(ReadOnlySpan<byte> key, string role, ReadOnlySpan<byte> clientNonce, ReadOnlySpan<byte> session)
    {
        byte[] message = [.. Encoding.ASCII.GetBytes(role), .. clientNonce, .. session];
        return HMACSHA256.HashData(key, message);
    }
}
