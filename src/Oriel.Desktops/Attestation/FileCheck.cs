using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Desktops.Attestation;

/// <summary>Compares what the guest read back from its disk with what was asked for.</summary>
internal static class FileCheck
{
    /// <exception cref="StepFailedException">A file is missing or differs.</exception>
    public static IReadOnlyList<FileAttestation> Verify(string step, IReadOnlyList<ExpectedFile> asked, IReadOnlyList<FileProof> proofs)
    {
        var byPath = proofs.ToLookup(p => p.Path);
        return [.. asked.Select(file => Verify(step, file, [.. byPath[file.Path]]))];
    }

    private static FileAttestation Verify(string step, ExpectedFile file, FileProof[] proofs)
    {
        var proof = proofs.FirstOrDefault();
        var problem = proof switch
        {
            null => "the guest said nothing of it",
            _ when proofs.Length > 1 => $"the guest answered it {proofs.Length} times",
            { Error.Length: > 0 } => proof.Error,
            _ when !file.Sha256.AsSpan().SequenceEqual(proof.Sha256.Span) =>
                $"its content differs ({proof.Size} bytes, {file.Size} asked for)",
            _ when (proof.Mode & 0xFFF) != file.Mode => $"its mode is {Octal(proof.Mode & 0xFFF)}, {Octal(file.Mode)} was asked for",
            _ when file.Owner is { } owner && owner != (proof.Uid, proof.Gid) =>
                $"its owner is {proof.Uid}:{proof.Gid}, {owner.Uid}:{owner.Gid} was asked for",
            _ => null,
        };
        return problem is null
            ? new FileAttestation(
                file.Path,
                Convert.ToHexStringLower(proof!.Sha256.Span),
                proof.Size,
                Octal(proof.Mode & 0xFFF),
                proof.Uid,
                proof.Gid
            )
            : throw new StepFailedException(
                new DesktopReason(ReasonCodes.FilesMismatch, step, $"The file {file.Path} is not as asked for: {problem}.", problem, [])
            );
    }

    private static string Octal(uint mode) => Convert.ToString(mode, 8).PadLeft(4, '0');
}
