using Microsoft.Win32.SafeHandles;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Namespaces;

/// <summary>
/// A network namespace held open by a file descriptor, so it lives as long as this process, or longer where another process is in it.
/// It belongs to the user namespace of its creator: root of a user namespace below has no power over it.
/// </summary>
public sealed class NetworkNamespace : IDisposable
{
    private readonly SafeFileHandle _handle;

    private NetworkNamespace(SafeFileHandle handle) => _handle = handle;

    /// <summary>A path by which this process and its children can open the namespace, while this object is alive.</summary>
    public string Path => Fd.PathOf(_handle);

    /// <summary>Creates a namespace and runs <paramref name="configure"/> inside it, on a thread of its own.</summary>
    /// <exception cref="InvalidOperationException">unshare(2) or <paramref name="configure"/> failed.</exception>
    public static NetworkNamespace Create(Action configure)
    {
        SafeFileHandle? handle = null;
        RunOnThread(() =>
        {
            LinuxException.ThrowIfNegative(NamespaceCalls.Unshare(NamespaceCalls.NewNetwork), "unshare", "CLONE_NEWNET");
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
            var fd = (int)_handle.DangerousGetHandle();
            LinuxException.ThrowIfNegative(NamespaceCalls.SetNamespace(fd, NamespaceCalls.NewNetwork), "setns", "CLONE_NEWNET");
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
}
