using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Oriel.Linux.Files;

/// <summary>
/// A file in memory whose content and size nobody can change any more, its maker included, even through a descriptor that is open for
/// writing (memfd_create(2), F_ADD_SEALS in fcntl(2)). Who maps it privately shares its pages with all others who do.
/// </summary>
public sealed partial class SealedMemory : IDisposable
{
    private const int ChunkBytes = 1 << 20;
    private const uint CloseOnExec = 1,
        AllowSealing = 2;
    private const int AddSeals = 1033;

    /// <summary>F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE.</summary>
    private const int AllSeals = 1 | 2 | 4 | 8;

    private readonly SafeFileHandle _file;

    private SealedMemory(SafeFileHandle file) => _file = file;

    /// <summary>
    /// By which other processes of the same user open it, as long as this is not disposed; those that have it open keep it.
    /// </summary>
    public string Path => $"/proc/{Environment.ProcessId}/fd/{_file.DangerousGetHandle()}";

    /// <summary>Copies a file. Its pages of zeros take no memory.</summary>
    /// <exception cref="IOException">The file cannot be read, or there is no room for it.</exception>
    public static async Task<SealedMemory> CopyAsync(string path, CancellationToken cancellationToken)
    {
        using var source = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var file = Create(System.IO.Path.GetFileName(path));
        try
        {
            await CopyAsync(source, file, cancellationToken);
            if (ControlFile(file, AddSeals, AllSeals) != 0)
            {
                throw LinuxException.Last("fcntl(F_ADD_SEALS)", path);
            }

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

    private static SafeFileHandle Create(string name)
    {
        var fd = CreateCall(name, CloseOnExec | AllowSealing);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw LinuxException.Last("memfd_create", name);
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateCall(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int ControlFile(SafeFileHandle file, int command, int argument);
}
