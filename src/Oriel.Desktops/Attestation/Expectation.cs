using System.Security.Cryptography;
using Oriel.Desktops.Lifecycle;
using Oriel.Protocol.Guest;

namespace Oriel.Desktops.Attestation;

/// <summary>What a guest must show to be ready.</summary>
/// <param name="Environment">Name and value, the same for each observer.</param>
/// <param name="Terminal">Whether there must be a window of it.</param>
/// <param name="Browser">The same.</param>
internal sealed record Expectation(
    IReadOnlyList<ExpectedFile> Files,
    IReadOnlyDictionary<string, string> Environment,
    string Hostname,
    string TimeZone,
    string KeyboardLayout,
    int Width,
    int Height,
    bool Terminal = true,
    bool Browser = true
)
{
    /// <summary>What was asked for.</summary>
    public static Expectation Of(DesktopSpec spec) =>
        new(
            [.. spec.Files.Select(ExpectedFile.Of)],
            ExpectedEnvironment.Of(spec),
            spec.Hostname,
            spec.TimeZone,
            spec.KeyboardLayout,
            spec.Width,
            spec.Height
        );
}

/// <param name="Owner">Null where any will do.</param>
internal sealed record ExpectedFile(string Path, byte[] Sha256, long Size, uint Mode, (uint Uid, uint Gid)? Owner)
{
    private const uint UserId = 1000,
        PermissionBits = 0xFFF;

    public static ExpectedFile Of(FileSpec file) =>
        new(file.Path, SHA256.HashData(file.Content), file.Content.Length, file.Mode, OwnerOf(file.Owner));

    /// <summary>As another desktop read it.</summary>
    public static ExpectedFile Of(FileProof proof) =>
        new(proof.Path, proof.Sha256.ToByteArray(), proof.Size, proof.Mode & PermissionBits, (proof.Uid, proof.Gid));

    private static (uint, uint)? OwnerOf(string owner) =>
        owner switch
        {
            "user" => (UserId, UserId),
            "root" => (0, 0),
            _ when owner.Split(':') is [var u, var g] && uint.TryParse(u, out var uid) && uint.TryParse(g, out var gid) => (uid, gid),
            _ => null,
        };
}
