namespace Oriel.Keeper.Logs;

/// <summary>
/// A file that is turned over to <c>NAME.1</c> when it has reached its bound, so that what others write cannot fill the disk. Not for
/// several threads at once.
/// </summary>
/// <param name="maxBytes">Of one of the two.</param>
internal sealed class RollingFile(string path, long maxBytes) : IDisposable
{
    private FileStream? _file;

    /// <summary>
    /// Writes, or loses what the disk does not take: whoever is talking must go on being heard, and the disk may have room again later.
    /// </summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _file ??= Open(path);
            if (_file.Length + bytes.Length > maxBytes)
            {
                Dispose();
                File.Move(path, path + ".1", overwrite: true);
                _file = Open(path);
            }

            _file.Write(bytes);
        }
        catch (IOException)
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    // Without a buffer: what was written is there to be read.
    private static FileStream Open(string path) =>
        new(
            path,
            new FileStreamOptions
            {
                Mode = FileMode.Append,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite | FileShare.Delete,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                BufferSize = 0,
            }
        );
}
