using System.Security.Cryptography;
using System.Text;

namespace Oriel.WebRtc.Ice;

/// <summary>A username fragment and its password (RFC 8445 section 5.3).</summary>
internal sealed class IceCredentials
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    public IceCredentials(string ufrag, string password)
    {
        Ufrag = ufrag;
        Password = password;
        Key = Encoding.ASCII.GetBytes(password);
    }

    public string Ufrag { get; }
    public string Password { get; }

    /// <summary>The password's bytes: STUN's short-term key.</summary>
    public byte[] Key { get; }

    /// <summary>48 random bits in the username fragment, 144 in the password.</summary>
    public static IceCredentials Create() =>
        new(RandomNumberGenerator.GetString(Alphabet, 8), RandomNumberGenerator.GetString(Alphabet, 24));
}
