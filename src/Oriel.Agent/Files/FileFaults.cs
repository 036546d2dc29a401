using Grpc.Core;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Agent.Files;

/// <summary>How calls about files refuse, and what they say of a file.</summary>
internal static class FileFaults
{
    private const int MaxWords = 1000;

    public static void CheckPath(string path)
    {
        if (GuestRules.PathProblem(path) is { } fault)
        {
            throw Invalid($"path: {fault}");
        }
    }

    /// <param name="fault">A header field carries it, so of a long path the middle is left out.</param>
    public static RpcException Refusal(StatusCode code, string fault) =>
        new(new Status(code, Shown(fault.Length <= MaxWords ? fault : $"{fault[..(MaxWords / 2)]}…{fault[^(MaxWords / 2)..]}")));

    public static RpcException Invalid(string fault) => Refusal(StatusCode.InvalidArgument, fault);

    /// <summary>It does not fit what is there.</summary>
    public static RpcException Unfit(string fault) => Refusal(StatusCode.FailedPrecondition, fault);

    public static RpcException TooMuch(string fault) => Refusal(StatusCode.ResourceExhausted, fault);

    public static RpcException TooDeep(string path) => Unfit($"{path} is more than {GuestRules.MaxTreeDepth} directories deep");

    public static RpcException Of(IOException e) =>
        Refusal(
            e switch
            {
                SymbolicLinkException => StatusCode.FailedPrecondition,
                PartialOffsetException => StatusCode.OutOfRange,
                LinuxException { Errno: Errno.ENOENT } => StatusCode.NotFound,
                LinuxException { Errno: Errno.EEXIST } => StatusCode.AlreadyExists,
                LinuxException
                {
                    Errno: Errno.ENOTDIR
                        or Errno.EISDIR
                        or Errno.EINVAL
                        or Errno.EBUSY
                        or Errno.ENXIO
                        or Errno.ELOOP
                        or Errno.ENAMETOOLONG
                        or Errno.ENOTEMPTY
                        or Errno.EXDEV
                } => StatusCode.FailedPrecondition,
                LinuxException { Errno: Errno.EACCES or Errno.EPERM or Errno.EROFS } => StatusCode.PermissionDenied,
                LinuxException { Errno: Errno.ENOSPC } => StatusCode.ResourceExhausted,
                // What RandomAccess throws carries errno in its HResult.
                { HResult: Errno.ENOSPC } => StatusCode.ResourceExhausted,
                _ => StatusCode.Internal,
            },
            e.Message
        );

    public static FileInfo Describe(string path, FileStatus status) =>
        new()
        {
            Path = path,
            Size = status.Size,
            Mode = status.Mode,
            Uid = status.Uid,
            Gid = status.Gid,
            ModifiedUs = status.ModifiedUs,
            IsDirectory = status.Kind == FileKind.Directory,
            Type = TypeOf(status.Kind),
        };

    public static FileType TypeOf(FileKind kind) =>
        kind switch
        {
            FileKind.Regular => FileType.Regular,
            FileKind.Directory => FileType.Directory,
            FileKind.SymbolicLink => FileType.Link,
            _ => FileType.Other,
        };

    /// <summary>A name that may be no UTF-8, with replacement characters where it is not.</summary>
    public static string Shown(string name) =>
        GuestRules.IsText(name) ? name : System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(name));
}
