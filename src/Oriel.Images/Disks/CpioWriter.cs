using System.Globalization;
using System.Text;

namespace Oriel.Images.Disks;

/// <summary>
/// Writes the archive format of an initramfs, "newc". Everything belongs to root and has the time 0, so that the same content makes the
/// same bytes. Source: Documentation/driver-api/early-userspace/buffer-format.rst.
/// </summary>
internal sealed class CpioWriter(Stream target)
{
    private const int DirectoryType = 0x4000; // 0040000
    private const int FileType = 0x8000; // 0100000
    private const int ExecutableMode = 0x1ED; // 0755
    private const int Alignment = 4;
    private int _inode;

    /// <param name="path">Relative; its parent must have been added.</param>
    public void AddDirectory(string path) => Add(path, DirectoryType | ExecutableMode, []);

    public void AddFile(string path, ReadOnlySpan<byte> content) => Add(path, FileType | ExecutableMode, content);

    public void End() => Add("TRAILER!!!", 0, []);

    private void Add(string path, int mode, ReadOnlySpan<byte> content)
    {
        var name = Encoding.UTF8.GetBytes(path + "\0");
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        int[] fields = [++_inode, mode, 0, 0, 1, 0, content.Length, 0, 0, 0, 0, name.Length, 0];
        var header = "070701" + string.Concat(fields.Select(field => field.ToString("X8", CultureInfo.InvariantCulture)));
        target.Write(Encoding.ASCII.GetBytes(header));
        target.Write(name);
        Pad(header.Length + name.Length);
        target.Write(content);
        Pad(content.Length);
    }

    private void Pad(int length) => target.Write(stackalloc byte[(Alignment - (length % Alignment)) % Alignment]);
}
