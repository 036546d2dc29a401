using System.Security.Cryptography;
using Google.Protobuf;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>Reads files afresh. What cannot be read is said in the proof, never left out.</summary>
internal static class FileProofs
{
    private const int BufferBytes = 128 * 1024;

    public static FileProof Read(string path)
    {
        var proof = new FileProof { Path = path };
        if (GuestRules.PathProblem(path) is { } fault)
        {
            proof.Error = fault;
            return proof;
        }

        try
        {
            using var directory = DirectoryHandle.Open(Path.GetDirectoryName(path)!);
            using var file = directory.OpenRegular(Path.GetFileName(path));
            DirectoryHandle.DropCache(file);
            var status = DirectoryHandle.Status(file);
            proof.Sha256 = ByteString.CopyFrom(Hash(file, out var size));
            (proof.Mode, proof.Uid, proof.Gid, proof.Size) = (status.Mode, status.Uid, status.Gid, size);
        }
        catch (IOException e)
        {
            proof.Error = e.Message;
        }

        return proof;
    }

    public static byte[] Hash(Microsoft.Win32.SafeHandles.SafeFileHandle file, out long size)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferBytes];
        size = 0;
        for (int n; (n = RandomAccess.Read(file, buffer, size)) > 0; size += n)
        {
            hash.AppendData(buffer, 0, n);
        }

        return hash.GetHashAndReset();
    }
}
