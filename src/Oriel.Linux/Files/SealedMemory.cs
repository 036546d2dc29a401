using Microsoft.Win32.SafeHandles;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Files;

/// <summary>
/// A file in memory whose content and size nobody can change any more, its maker included, even through a descriptor that is open for
/// writing (memfd_create(2), F_ADD_SEALS in fcntl(2)). Who maps it privately shares its pages with all others who do.
/// </summary>
public sealed class SealedMemory : IDisposable
{
    private const int ChunkBytes = 1 << 20;

    /// <summary>F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE.</summary>
    private const int AllSeals = 1 | 2 | 4 | 8;

    private readonly SafeFileHandle _file;

    private SealedMemory(SafeFileHandle file) => _file = file;

    /// <summary>
    /// By which other processes of the same user open it, as long as this is not disposed; those that have it open keep it.
    /// </summary>
    public string Path => Fd.PathOf(_file);

    /// <summary>Copies a file. Its pages of zeros take no memory.</summary>
    /// <exception cref="IOException">The file cannot be read, or there is no room for it.</exception>
    public static async Task<SealedMemory> CopyAsync(string path, CancellationToken cancellationToken)
    {
        using var source = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var name = System.IO.Path.GetFileName(path);
        var file = new SafeFileHandle(Fd.CreateMemory(name, FileCalls.MemoryAllowSealing), ownsHandle: true);
        try
        {
            await CopyAsync(source, file, cancellationToken);
            LinuxException.ThrowIfNegative(
                DescriptorCalls.Fcntl((int)file.DangerousGetHandle(), DescriptorCalls.AddSeals, AllSeals),
                "fcntl",
                $"F_ADD_SEALS of {path}"
            );
            return new SealedMemory(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => _file.Dispose();

    private static async Task CopyAsync(SafeFileHandle source, SafeFileHandle target, CancellationToken cancellationToken)
    {
        var length = RandomAccess.GetLength(source);
        RandomAccess.SetLength(target, length);
        var buffer = new byte[ChunkBytes];
        for (long at = 0; at < length; )
        {
            var read = await RandomAccess.ReadAsync(source, buffer, at, cancellationToken);
            if (read == 0)
            {
                throw new IOException($"a file of {length} bytes ended after {at}");
            }

            WritePages(target, buffer.AsSpan(0, read), at);
            at += read;
        }
    }

    private static void WritePages(SafeFileHandle target, ReadOnlySpan<byte> bytes, long at)
    {
        const int Page = 4096;
        for (int start = 0, end; start < bytes.Length; start = end)
        {
            end = start;
            // As many as belong together in one call.
            while (end < bytes.Length && bytes.Slice(end, Math.Min(Page, bytes.Length - end)).ContainsAnyExcept((byte)0))
            {
                end = Math.Min(end + Page, bytes.Length);
            }

            RandomAccess.Write(target, bytes[start..end], at + start);
            end = Math.Min(end + Page, bytes.Length);
        }
    }
}
