using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Oriel.Linux.Namespaces;

/// <summary>
/// A network namespace held open by a file descriptor, so it lives as long as this process, or longer where another process is in it.
/// It belongs to the user namespace of its creator: root of a user namespace below has no power over it.
/// </summary>
public sealed partial class NetworkNamespace : IDisposable
{
    private const int CloneNewNet = 0x40000000;

    private readonly SafeFileHandle _handle;

    private NetworkNamespace(SafeFileHandle handle) => _handle = handle;

    /// <summary>A path by which this process and its children can open the namespace, while this object is alive.</summary>
    public string Path => $"/proc/{Environment.ProcessId}/fd/{_handle.DangerousGetHandle()}";

    /// <summary>Creates a namespace and runs <paramref name="configure"/> inside it, on a thread of its own.</summary>
    /// <exception cref="Win32Exception">unshare(2) failed.</exception>
    public static NetworkNamespace Create(Action configure)
    {
        SafeFileHandle? handle = null;
        RunOnThread(() =>
        {
            if (unshare(CloneNewNet) != 0)
            {
                throw new Win32Exception(Marshal.GetLastPInvokeError());
            }

            handle = File.OpenHandle("/proc/thread-self/ns/net");
            configure();
        });
        return new NetworkNamespace(handle!);
    }

    /// <summary>
    /// Runs <paramref name="action"/> inside the namespace, on a thread of its own, and waits for it. Whatever it opens stays in that
    /// namespace.
    /// </summary>
    public void Run(Action action) =>
        RunOnThread(() =>
        {
            if (setns((int)_handle.DangerousGetHandle(), CloneNewNet) != 0)
            {
                throw new Win32Exception(Marshal.GetLastPInvokeError());
            }

            action();
        });

    public void Dispose() => _handle.Dispose();

    // The thread is not given back to a pool: its namespace differs from that of the process for good.
    private static void RunOnThread(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        })
        {
            IsBackground = true,
        };
        thread.Start();
        thread.Join();
        if (failure is not null)
        {
            throw new InvalidOperationException($"In the network namespace: {failure.Message}", failure);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(int fd, int type);
}
