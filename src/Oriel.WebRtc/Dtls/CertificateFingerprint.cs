using System.Security.Cryptography;

namespace Oriel.WebRtc.Dtls;

/// <summary>A hash of the peer's certificate from its SDP (RFC 8122). SHA-1 and MD5 are not accepted.</summary>
internal sealed record CertificateFingerprint(HashAlgorithmName Algorithm, byte[] Hash)
{
    /// <summary>Parses "sha-256 AB:CD:…"; null when it is malformed or the hash is not accepted.</summary>
    public static CertificateFingerprint? TryParse(ReadOnlySpan<char> text)
    {
        var space = text.IndexOf(' ');
        if (space < 0 || text.Length > 300)
        {
            return null;
        }

        (HashAlgorithmName Name, int Length)? algorithm = text[..space].ToString().ToLowerInvariant() switch
        {
            "sha-256" => (HashAlgorithmName.SHA256, 32),
            "sha-384" => (HashAlgorithmName.SHA384, 48),
            "sha-512" => (HashAlgorithmName.SHA512, 64),
            _ => null,
        };
        var digits = text[(space + 1)..].Trim();
        if (algorithm is not { } known || digits.Length != (known.Length * 3) - 1)
        {
            return null;
        }

        var hash = new byte[known.Length];
        for (var i = 0; i < hash.Length; i++)
        {
            if (
                (i > 0 && digits[(i * 3) - 1] != ':')
                || !byte.TryParse(digits.Slice(i * 3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out hash[i])
            )
            {
                return null;
            }
        }

        return new CertificateFingerprint(known.Name, hash);
    }

    /// <summary>Constant-time.</summary>
    public bool Matches(ReadOnlySpan<byte> certificate) =>
        CryptographicOperations.FixedTimeEquals(CryptographicOperations.HashData(Algorithm, certificate), Hash);
}
