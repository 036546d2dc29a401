#include <vpx/vpx_encoder.h>
#include <vpx/vp8cx.h>
#include <stdint.h>
#include <x264.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define W 320
#define H 240
#define N 30
static uint8_t y[W*H],u[W*H/4],v[W*H/4];
static void draw(int i){ // blue ground, a yellow block moving right
  memset(y,41,sizeof y); memset(u,240,sizeof u); memset(v,110,sizeof v);
  int x0=(i*8)%(W-64);
  for(int r=80;r<144;r++)memset(y+r*W+x0,210,64);
  for(int r=40;r<72;r++){memset(u+r*W/2+x0/2,16,32);memset(v+r*W/2+x0/2,146,32);}
}
static void rec(FILE*f,const void*d,uint32_t n,int key){uint8_t h[5]={n>>24,n>>16,n>>8,n,key};fwrite(h,1,5,f);fwrite(d,1,n,f);}
int main(){
  FILE*f=fopen("bars.vp8","wb"); vpx_codec_enc_cfg_t c; vpx_codec_enc_config_default(vpx_codec_vp8_cx(),&c,0);
  c.g_w=W;c.g_h=H;c.g_timebase.num=1;c.g_timebase.den=30;c.rc_target_bitrate=300;c.g_lag_in_frames=0;c.kf_mode=VPX_KF_DISABLED;
  vpx_codec_ctx_t x; vpx_codec_enc_init(&x,vpx_codec_vp8_cx(),&c,0); vpx_codec_control(&x,VP8E_SET_CPUUSED,-6);
  vpx_image_t img; 
  for(int i=0;i<N;i++){draw(i);vpx_img_wrap(&img,VPX_IMG_FMT_I420,W,H,1,y);img.planes[0]=y;img.planes[1]=u;img.planes[2]=v;img.stride[0]=W;img.stride[1]=img.stride[2]=W/2;
    vpx_codec_encode(&x,&img,i,1,i==0?VPX_EFLAG_FORCE_KF:0,VPX_DL_REALTIME);
    vpx_codec_iter_t it=0;const vpx_codec_cx_pkt_t*p;while((p=vpx_codec_get_cx_data(&x,&it)))if(p->kind==VPX_CODEC_CX_FRAME_PKT)rec(f,p->data.frame.buf,p->data.frame.sz,!!(p->data.frame.flags&VPX_FRAME_IS_KEY));}
  fclose(f); f=fopen("bars.h264","wb");
  x264_param_t p; x264_param_default_preset(&p,"ultrafast","zerolatency");p.i_width=W;p.i_height=H;p.i_fps_num=30;p.i_fps_den=1;p.i_csp=X264_CSP_I420;p.i_keyint_max=X264_KEYINT_MAX_INFINITE;p.b_repeat_headers=1;p.b_annexb=1;p.i_log_level=1;p.rc.i_rc_method=X264_RC_CRF;p.rc.f_rf_constant=28;p.i_threads=1;p.b_sliced_threads=0;
  x264_param_apply_profile(&p,"baseline"); x264_t*e=x264_encoder_open(&p); x264_picture_t in,out; x264_picture_init(&in); in.img.i_csp=X264_CSP_I420;in.img.i_plane=3;in.img.plane[0]=y;in.img.plane[1]=u;in.img.plane[2]=v;in.img.i_stride[0]=W;in.img.i_stride[1]=in.img.i_stride[2]=W/2;
  for(int i=0;i<N;i++){draw(i);in.i_pts=i;in.i_type=i==0?X264_TYPE_IDR:X264_TYPE_P;x264_nal_t*n;int k;int sz=x264_encoder_encode(e,&n,&k,&in,&out);if(sz>0)rec(f,n[0].p_payload,sz,out.b_keyframe);}
  fclose(f);return 0;}
