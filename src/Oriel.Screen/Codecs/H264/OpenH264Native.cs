using System.Runtime.InteropServices;
using Oriel.Screen.Native;

namespace Oriel.Screen.Codecs.H264;

/// <summary>Raw libopenh264: its objects are pointers to function tables (codec_api.h), and its structs are accessed by offset.</summary>
internal static unsafe partial class OpenH264Native
{
    internal const int ParameterSize = 4096,
        FrameInfoSize = 16 * 1024,
        PictureSize = 512;
    internal const int OptionParameters = 3,
        OptionTraceLevel = 25;
    internal const int DecoderOptionTraceLevel = 9;

    [LibraryImport(NativeLibraries.OpenH264)]
    internal static partial int WelsCreateSVCEncoder(nint** encoder);

    [LibraryImport(NativeLibraries.OpenH264)]
    internal static partial void WelsDestroySVCEncoder(nint* encoder);

    [LibraryImport(NativeLibraries.OpenH264)]
    internal static partial nint WelsCreateDecoder(nint** decoder);

    [LibraryImport(NativeLibraries.OpenH264)]
    internal static partial void WelsDestroyDecoder(nint* decoder);

    [LibraryImport(NativeLibraries.OpenH264)]
    internal static partial void WelsGetCodecVersionEx(uint* version);

    // Indices in ISVCEncoderVtbl and ISVCDecoderVtbl.
    internal static int InitializeExt(nint* e, byte* parameters) => ((delegate* unmanaged<nint*, byte*, int>)((nint*)*e)[1])(e, parameters);

    internal static int GetDefaultParams(nint* e, byte* parameters) =>
        ((delegate* unmanaged<nint*, byte*, int>)((nint*)*e)[2])(e, parameters);

    internal static int Uninitialize(nint* e) => ((delegate* unmanaged<nint*, int>)((nint*)*e)[3])(e);

    internal static int EncodeFrame(nint* e, byte* picture, byte* info) =>
        ((delegate* unmanaged<nint*, byte*, byte*, int>)((nint*)*e)[4])(e, picture, info);

    internal static int ForceIntraFrame(nint* e) => ((delegate* unmanaged<nint*, byte, int, int>)((nint*)*e)[6])(e, 1, -1);

    internal static int SetOption(nint* e, int option, void* value) =>
        ((delegate* unmanaged<nint*, int, void*, int>)((nint*)*e)[7])(e, option, value);

    internal static nint DecoderInitialize(nint* d, byte* parameters) =>
        ((delegate* unmanaged<nint*, byte*, nint>)((nint*)*d)[0])(d, parameters);

    internal static nint DecoderUninitialize(nint* d) => ((delegate* unmanaged<nint*, nint>)((nint*)*d)[1])(d);

    internal static int DecodeFrameNoDelay(nint* d, byte* source, int length, byte** planes, byte* info) =>
        ((delegate* unmanaged<nint*, byte*, int, byte**, byte*, int>)((nint*)*d)[3])(d, source, length, planes, info);

    internal static nint DecoderSetOption(nint* d, int option, void* value) =>
        ((delegate* unmanaged<nint*, int, void*, nint>)((nint*)*d)[8])(d, option, value);
}

/// <summary>Offsets in <c>SEncParamExt</c> (OpenH264 2.3 to 2.6), checked against its defaults by <see cref="Check"/>.</summary>
internal static unsafe class OpenH264Parameters
{
    internal const int Usage = 0,
        Width = 4,
        Height = 8,
        TargetBitrate = 12,
        RateControl = 16,
        MaxFrameRate = 20,
        TemporalLayers = 24,
        SpatialLayers = 28,
        Layer = 32,
        LayerWidth = Layer,
        LayerHeight = Layer + 4,
        LayerFrameRate = Layer + 8,
        LayerBitrate = Layer + 12,
        LayerMaxBitrate = Layer + 16,
        LayerProfile = Layer + 20,
        LayerLevel = Layer + 24,
        LayerQuantizer = Layer + 28,
        LayerSliceMode = Layer + 32,
        LayerVideoSignalTypePresent = Layer + 184,
        LayerVideoFormat = Layer + 185,
        LayerFullRange = Layer + 186,
        LayerColourDescriptionPresent = Layer + 187,
        LayerColourPrimaries = Layer + 188,
        LayerTransferCharacteristics = Layer + 189,
        LayerMatrixCoefficients = Layer + 190,
        Complexity = 832,
        IntraPeriod = 836,
        ReferenceFrames = 840,
        ParameterSetStrategy = 844,
        PrefixNal = 848,
        EntropyMode = 856,
        FrameSkip = 860,
        MaxBitrate = 864,
        MaxQuantizer = 868,
        MinQuantizer = 872,
        LongTermReference = 880,
        LongTermPeriod = 888,
        Threads = 892,
        LoopFilterOff = 896,
        Denoise = 908,
        BackgroundDetection = 909,
        AdaptiveQuantizer = 910,
        Cropping = 911,
        SceneChange = 912,
        IdrBitrateRatio = 916;

    /// <exception cref="PlatformNotSupportedException">The library has its defaults at other offsets; the message names the
    /// field.</exception>
    internal static void Check(byte* parameters, string version)
    {
        ReadOnlySpan<(int Offset, int Value, string Name)> expected =
        [
            (TemporalLayers, 1, "iTemporalLayerNum"),
            (SpatialLayers, 1, "iSpatialLayerNum"),
            (LayerQuantizer, 26, "sSpatialLayers[0].iDLayerQp"),
            (LayerQuantizer + 200, 26, "sSpatialLayers[1].iDLayerQp"),
            (ReferenceFrames, -1, "iNumRefFrame"),
            (MaxQuantizer, 51, "iMaxQp"),
            (LongTermPeriod, 30, "iLtrMarkPeriod"),
            (IdrBitrateRatio, 400, "iIdrBitrateRatio"),
        ];
        foreach (var (offset, value, name) in expected)
        {
            var found = *(int*)(parameters + offset);
            if (found != value)
            {
                throw new PlatformNotSupportedException(
                    $"libopenh264 {version} is not laid out as expected: SEncParamExt.{name} at {offset}: {value} expected, {found} found"
                );
            }
        }
    }
}
