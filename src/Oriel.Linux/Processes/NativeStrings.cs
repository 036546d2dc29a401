using System.Runtime.InteropServices;
using System.Text;

namespace Oriel.Linux.Processes;

/// <summary>A NULL-terminated array of UTF-8 strings in native memory, as argv and envp are.</summary>
internal sealed unsafe class NativeStrings : IDisposable
{
    private readonly int _count;

    public NativeStrings(IReadOnlyList<string> values)
    {
        _count = values.Count;
        // SAFETY: one pointer more than strings, zeroed, so the array is terminated whatever happens below.
        Pointer = (byte**)NativeMemory.AllocZeroed((nuint)(values.Count + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < values.Count; i++)
        {
            Pointer[i] = Allocate(values[i]);
        }
    }

    public byte** Pointer { get; private set; }

    public void Dispose()
    {
        if (Pointer is null)
        {
            return;
        }

        for (var i = 0; i < _count; i++)
        {
            NativeMemory.Free(Pointer[i]);
        }

        NativeMemory.Free(Pointer);
        Pointer = null;
    }

    private static byte* Allocate(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        // SAFETY: length bytes and a terminating zero are allocated and written.
        var memory = (byte*)NativeMemory.Alloc((nuint)length + 1);
        Encoding.UTF8.GetBytes(value, new Span<byte>(memory, length));
        memory[length] = 0;
        return memory;
    }
}
