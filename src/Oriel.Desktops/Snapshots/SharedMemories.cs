using Oriel.Linux.Files;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Snapshots;

/// <summary>
/// The machines' memory of snapshots, copied once for all desktops that go on from one, and let go of with the last of them. Safe for
/// concurrent use.
/// </summary>
internal sealed class SharedMemories
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <param name="directory">Of the snapshot.</param>
    /// <returns>To be disposed when the desktop is gone.</returns>
    /// <exception cref="IOException">It cannot be read, or there is no room in this host's memory.</exception>
    public async Task<Lease> TakeAsync(string directory, CancellationToken cancellationToken)
    {
        Entry? entry;
        lock (_lock)
        {
            if (!_entries.TryGetValue(directory, out entry))
            {
                // For all who wait for it: one of them going is no reason to stop.
                entry = new Entry(
                    Task.Run(
                        () => SealedMemory.CopyAsync(new SnapshotDirectory(directory).Memory, CancellationToken.None),
                        CancellationToken.None
                    )
                );
                _entries.Add(directory, entry);
            }

            entry.Users++;
        }

        try
        {
            return new Lease((await entry.Memory.WaitAsync(cancellationToken)).Path, () => Release(directory, entry));
        }
        catch
        {
            Release(directory, entry);
            throw;
        }
    }

    private void Release(string directory, Entry entry)
    {
        lock (_lock)
        {
            if (--entry.Users > 0)
            {
                return;
            }

            _entries.Remove(directory);
        }

        // Also where the copy is still being made.
        _ = entry.Memory.ContinueWith(
            static copy => copy.Result.Dispose(),
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion,
            TaskScheduler.Default
        );
    }

    private sealed class Entry(Task<SealedMemory> memory)
    {
        public Task<SealedMemory> Memory => memory;

        public int Users { get; set; }
    }

    /// <param name="path">For processes of this user.</param>
    public sealed class Lease(string path, Action release) : IDisposable
    {
        private bool _isReleased;

        public string Path => path;

        public void Dispose()
        {
            if (!Interlocked.Exchange(ref _isReleased, true))
            {
                release();
            }
        }
    }
}
