using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Xunit;

namespace Oriel.Tests.Shared;

/// <summary>A file that a desktop is to have.</summary>
/// <param name="Mode">Four octal digits.</param>
/// <param name="Owner">uid:gid.</param>
internal sealed record AskedFile(string Path, byte[] Content, string Mode = "0644", string Owner = "1000:1000");

/// <summary>
/// What must hold of every creation, whatever was done to it: the desktop was ready and each file that was asked for is proven by the
/// SHA-256 that its guest read back, or it was never ready and says why and in which step. A source file of several test projects.
/// </summary>
internal static class ProvenOrFailed
{
    private const int DigestLength = 64;

    /// <param name="states">All that the desktop was in, in order.</param>
    /// <param name="attestation">As the API gives it; null where it gives none.</param>
    /// <param name="reason">Of the failure; null where there was none.</param>
    /// <param name="what">Of the test, for its message.</param>
    /// <returns>Whether it was ready.</returns>
    public static bool Check(
        IReadOnlyList<string> states,
        JsonNode? attestation,
        JsonNode? reason,
        IReadOnlyCollection<AskedFile> asked,
        string what
    )
    {
        var told = $"{what}: {string.Join(" ", states)}; {reason?.ToJsonString()}";
        if (!states.Contains("ready"))
        {
            Assert.True(states.Contains("failed"), told);
            Assert.True(attestation is null, $"{told}: never ready, and attested");
            CheckReason(reason, told);
            return false;
        }

        Assert.True(attestation is not null, $"{told}: ready without attestation");
        var proofs = attestation["files"]!.AsArray().ToLookup(file => file!["path"]!.GetValue<string>());
        Assert.True(
            proofs.Sum(path => path.Count()) == asked.Count,
            $"{told}: {proofs.Count} files are proven, {asked.Count} were asked for"
        );
        foreach (var file in asked)
        {
            var proof = Assert.Single(proofs[file.Path])!;
            Assert.True(
                (Convert.ToHexStringLower(SHA256.HashData(file.Content)), file.Content.Length, file.Mode, file.Owner)
                    == (
                        proof["sha256"]!.GetValue<string>(),
                        proof["size"]!.GetValue<int>(),
                        proof["mode"]!.GetValue<string>(),
                        $"{proof["uid"]}:{proof["gid"]}"
                    ),
                $"{told}: unproven {file.Path}: {proof.ToJsonString()}"
            );
        }

        Assert.Equal("sha256:".Length + DigestLength, attestation["imageDigest"]!.GetValue<string>().Length);
        return true;
    }

    private static void CheckReason(JsonNode? reason, string told)
    {
        Assert.True(reason is not null, $"{told}: failed without a reason");
        foreach (var part in (string[])["code", "message", "step"])
        {
            Assert.True(reason[part]?.GetValue<string>() is { Length: > 0 }, $"{told}: its reason has no {part}");
        }
    }
}
